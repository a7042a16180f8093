/**
 * Runs scripts/bench/NAME.ts for `npm run bench -- NAME` and scripts/soak/NAME.ts for `npm run soak -- NAME`. A bench prints
 * lines for people and returns an object, which is printed as JSON in the last line. With --json, that line is the only output
 * on stdout. Exit code 1: the object says `ok: false`. Exit code 2: an unknown flag.
 */
import { readdirSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { amount, readOptions } from "./options.ts";

/** A bench's flags with their defaults: `--seeds 10`, `--text FILE`, `--fresh`, `--no-sprint`. */
export type Flags = Readonly<Record<string, number | string | boolean>>;
export type Print = (line: string) => void;

/** The exports of a file in scripts/bench/ or scripts/soak/. */
export interface Bench {
  FLAGS: Flags;
  run(flags: Flags, print: Print): Promise<Record<string, unknown>>;
}

function usageOf(kind: string, name: string, defaults: Flags): string {
  const flags = Object.entries(defaults).map(([flag, value]) =>
    typeof value === "boolean" ? `[--${value ? "no-" : ""}${flag}]` : `[--${flag} ${typeof value === "number" ? "N" : "TEXT"}]`,
  );
  return ["npm run", kind, "--", name, ...flags, "[--json]"].join(" ");
}

function parseFlags(kind: string, name: string, defaults: Flags, args: string[]): Flags & { json: boolean } {
  const options = Object.entries({ ...defaults, json: false }).map(([flag, value]) => [
    flag,
    { type: typeof value === "boolean" ? ("boolean" as const) : ("string" as const) },
  ]);
  const read = (given: Record<string, unknown>) => {
    const flags = Object.entries(defaults).map(([flag, value]) => {
      const text = given[flag] as string | undefined;
      return [flag, typeof value === "number" ? (amount(flag, text) ?? value) : (text ?? value)];
    });
    return { ...(Object.fromEntries(flags) as Flags), json: given["json"] === true };
  };
  return readOptions(
    usageOf(kind, name, defaults),
    Object.fromEntries(options) as Record<string, { type: "boolean" | "string" }>,
    read,
    args,
  );
}

export async function runBench(kind: "bench" | "soak"): Promise<void> {
  const folder = join(import.meta.dirname, "..", kind);
  const names = readdirSync(folder)
    .filter((file) => file.endsWith(".ts"))
    .map((file) => file.slice(0, -".ts".length));
  const [name, ...rest] = process.argv.slice(2);
  if (name === undefined || !names.includes(name)) {
    console.error(`${kind}: expected one of ${names.join(", ")}, got ${name ?? "nothing"}. Usage: npm run ${kind} -- NAME [--json]`);
    process.exit(2);
  }
  const found = (await import(join(folder, `${name}.ts`))) as Bench;
  const { json, ...flags } = parseFlags(kind, name, found.FLAGS, rest);
  const print: Print = (line) => (json ? console.error(line) : console.log(line));
  print(`${kind} ${name} · ${new Date().toISOString().slice(0, 10)} · ${cpus().length} x ${cpus()[0]?.model ?? "unknown processor"}`);
  try {
    const result = await found.run(flags as Flags, print);
    console.log(JSON.stringify(result));
    process.exit(result["ok"] === false ? 1 : 0);
  } catch (error) {
    console.error((error as Error).message);
    process.exit(1);
  }
}
