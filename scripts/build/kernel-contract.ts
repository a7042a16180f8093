/**
 * Writes the contract between the kernels and TypeScript (shared/tensor/engine/kernel-exports.ts) from the sources that
 * shared/tensor/kernels/index.ts exports. tsc does not read AssemblyScript. Without the contract, a call with arguments in
 * wrong positions would compile.
 *
 * A kernel without a result is a command. A kernel with a result is a query if its comment begins with `@query`, otherwise an
 * answer.
 */
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { ROOT } from "../local/workers.ts";

export const CONTRACT = join(ROOT, "shared/tensor/engine/kernel-exports.ts");
const INDEX = join(ROOT, "shared/tensor/kernels/index.ts");

/** As a parameter, usize is an address; as a result, it is a size. wasm accepts a boolean for an i32. */
const PARAMETER_TYPES: Readonly<Record<string, string>> = {
  usize: "Pointer",
  i32: "number",
  f32: "number",
  f64: "number",
  bool: "boolean",
};
const RESULT_TYPES: Readonly<Record<string, string>> = { usize: "number", i32: "number", f32: "number", f64: "number", void: "void" };

const HEAD = `/**
 * What the wasm module exports, written by \`npm run types\` from shared/tensor/kernels. Do not edit.
 * Pointers are bytes in tfjs's memory, sizes are elements; the kernels' own comments say which.
 */
import type { Pointer } from "./wasm-runtime.ts";

/** A command has no result and may be deferred. An answer runs after the commands before it. A query reads nothing that they write. */
export type KernelKind = "command" | "answer" | "query";
`;

interface Signature {
  name: string;
  parameters: string[];
  result: string;
  kind: "command" | "answer" | "query";
}

/** The text of the contract for the current sources. */
export function kernelContract(): string {
  const groups = [...readFileSync(INDEX, "utf8").matchAll(/export \{([^}]*)\} from "([^"]+)"/g)].map(([, names, path]) => {
    const file = join(dirname(INDEX), `${path}.ts`);
    const source = readFileSync(file, "utf8");
    const exported = names!.split(",").map((name) => name.trim());
    return {
      path: relative(dirname(INDEX), file),
      signatures: exported.filter((name) => name !== "").map((name) => signatureOf(name, source, file)),
    };
  });
  const methods = groups.flatMap(({ path, signatures }) => [`  // kernels/${path}`, ...signatures.map(method)]);
  const kinds = groups.flatMap(({ signatures }) => signatures.map(({ name, kind }) => `  ${name}: "${kind}",`));
  return [
    HEAD,
    "export interface KernelExports {",
    ...methods,
    "}",
    "",
    "export const KERNEL_KINDS: Readonly<Record<keyof KernelExports, KernelKind>> = {",
    ...kinds,
    "};",
    "",
  ].join("\n");
}

/** The signature of an exported function. The function's comment is directly above it. */
export function signatureOf(name: string, source: string, file: string): Signature {
  const found = new RegExp(`(?:/\\*\\*((?:(?!\\*/)[\\s\\S])*)\\*/\\n)?export function ${name}\\(([^)]*)\\): (\\w+) \\{`).exec(source);
  if (found === null) throw new Error(`kernel-contract: expected an exported function ${name} with a result type in ${file}, found none`);
  const [, comment = "", list, type] = found;
  const parameters = list!
    .split(",")
    .map((parameter) => parameter.trim())
    .filter((parameter) => parameter !== "")
    .map((parameter) => {
      const [label, each] = parameter.split(": ") as [string, string?];
      return `${label}: ${mapped(PARAMETER_TYPES, each, `${name}(${label})`)}`;
    });
  const result = mapped(RESULT_TYPES, type, name);
  const isQuery = /^\s*\*?\s*@query\b/.test(comment);
  if (isQuery && result === "void") throw new Error(`kernel-contract: expected a result of the query ${name}, got void`);
  return { name, parameters, result, kind: result === "void" ? "command" : isQuery ? "query" : "answer" };
}

function mapped(types: Readonly<Record<string, string>>, type: string | undefined, of: string): string {
  const known = type === undefined || !Object.hasOwn(types, type) ? undefined : types[type];
  if (known === undefined) throw new Error(`kernel-contract: expected ${of} to be ${Object.keys(types).join(", ")}, got ${type}`);
  return known;
}

/** A method of the interface, with its parameters wrapped into lines. */
function method({ name, parameters, result }: Signature): string {
  const whole = `  ${name}(${parameters.join(", ")}): ${result};`;
  if (whole.length <= 140) return whole;
  return [`  ${name}(`, ...parameters.map((parameter) => `    ${parameter},`), `  ): ${result};`].join("\n");
}
