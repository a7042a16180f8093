/** Checks of the AssemblyScript sources, which lint and tsc do not read: circular imports, and calls through the contract. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { CONTRACT, kernelContract, signatureOf } from "../../../scripts/build/kernel-contract.ts";
import { ROOT } from "../../../scripts/local/workers.ts";

const FOLDER = join(ROOT, "shared/tensor/kernels");

/** The files that each file imports or exports from. */
function importsOf(files: readonly string[], read: (file: string) => string): Map<string, string[]> {
  return new Map(
    files.map((file) => [
      file,
      [...read(file).matchAll(/ from "(\.[^"]+)"/g)].map(([, path]) => join(file, "..", path!).replace(/(\.ts)?$/, ".ts")),
    ]),
  );
}

/** The files of a circle of imports, in order; null if there is no circle. */
function circleIn(imports: ReadonlyMap<string, readonly string[]>): string[] | null {
  const done = new Set<string>();
  const from = (file: string, path: readonly string[]): string[] | null => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return null;
    for (const next of imports.get(file) ?? []) {
      const circle = from(next, [...path, file]);
      if (circle !== null) return circle;
    }
    done.add(file);
    return null;
  };
  for (const file of imports.keys()) {
    const circle = from(file, []);
    if (circle !== null) return circle;
  }
  return null;
}

/** The signature of the function `k` in a source. */
const signature = (source: string) => signatureOf("k", source, "k.ts");

describe("kernels", () => {
  test("import each other without a circle", () => {
    const files = readdirSync(FOLDER, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
    const imports = importsOf(files, (file) => readFileSync(join(FOLDER, file), "utf8"));
    expect(imports.get("index.ts")).toContain("gemm/matmul.ts");
    const unknown = [...imports.values()].flat().filter((file) => !imports.has(file));
    expect(unknown).toEqual([]);
    expect(circleIn(imports)).toBeNull();
  });

  test("a circle is found, and its files are named", () => {
    const sources: Record<string, string> = { "a.ts": 'x from "./b"', "b.ts": 'x from "./c/d"', "c/d.ts": 'x from "../b.ts"' };
    expect(circleIn(importsOf(Object.keys(sources), (file) => sources[file]!))).toEqual(["b.ts", "c/d.ts", "b.ts"]);
  });

  test("match their contract; if not, run npm run types", () => {
    expect(readFileSync(CONTRACT, "utf8")).toBe(kernelContract());
  });
});

describe("a kernel's signature", () => {
  test("keeps names, and distinguishes addresses, numbers and booleans", () => {
    expect(signature("/** Adds. */\nexport function k(\n  x: usize, n: i32,\n  scale: f32, isOn: bool,\n): void {")).toEqual({
      name: "k",
      parameters: ["x: Pointer", "n: number", "scale: number", "isOn: boolean"],
      result: "void",
      kind: "command",
    });
  });

  test("with a result is an answer, or a query if the comment says so", () => {
    expect(signature("/** Bytes. */\nexport function k(): usize {").kind).toBe("answer");
    expect(signature("/** @query Bytes. */\nexport function k(): usize {").kind).toBe("query");
    expect(signature("/**\n * @query Bytes\n * of scratch.\n */\nexport function k(): usize {").kind).toBe("query");
    // The comment of another function has no effect on this function.
    expect(signature("/** @query */\nexport function j(): i32 {}\n/** Sum. */\nexport function k(): f64 {").kind).toBe("answer");
  });

  test("is refused if JavaScript could not call the function", () => {
    expect(() => signature("export function k(x: v128): void {")).toThrow("expected k(x) to be usize, i32, f32, f64, bool, got v128");
    expect(() => signature("/** @query */\nexport function k(): void {")).toThrow("expected a result of the query k, got void");
    expect(() => signature("function k(): void {")).toThrow("expected an exported function k");
  });
});
