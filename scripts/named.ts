/**
 * `npm run bench -- NAME` and `npm run soak -- NAME` run scripts/bench/NAME.ts and scripts/soak/NAME.ts. Such a file shows
 * lines to people and returns an object, printed as JSON in the last line; with --json it is the only line on stdout.
 * An object with `ok: false` makes the exit code 1.
 */
import { readdirSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";

export type Flags = Readonly<Record<string, string>>;
export type Print = (line: string) => void;

/** What a file in scripts/bench/ or scripts/soak/ exports. */
export interface Named {
  run(flags: Flags, print: Print): Promise<Record<string, unknown>>;
}

/** `--flag value` and `--flag=value`; a flag without a value is "true". */
function parseFlags(args: readonly string[]): Record<string, string> {
  const flags: Record<string, string> = {};
  for (const [index, argument] of args.entries()) {
    if (!argument.startsWith("--")) continue;
    const [name, value] = argument.slice(2).split("=", 2) as [string, string | undefined];
    const next = args[index + 1];
    flags[name] = value ?? (name !== "json" && next !== undefined && !next.startsWith("--") ? next : "true");
  }
  return flags;
}

export async function runNamed(kind: "bench" | "soak"): Promise<void> {
  const folder = join(import.meta.dirname, kind);
  const names = readdirSync(folder)
    .filter((file) => file.endsWith(".ts"))
    .map((file) => file.slice(0, -".ts".length));
  const [name, ...rest] = process.argv.slice(2);
  if (name === undefined || !names.includes(name)) {
    console.error(`${kind}: expected one of ${names.join(", ")}, got ${name ?? "nothing"}. Usage: npm run ${kind} -- NAME [--json]`);
    process.exit(1);
  }
  const flags = parseFlags(rest);
  const print: Print = (line) => (flags["json"] === undefined ? console.log(line) : console.error(line));
  const found = (await import(join(folder, `${name}.ts`))) as Named;
  print(`${kind} ${name} · ${new Date().toISOString().slice(0, 10)} · ${cpus().length} x ${cpus()[0]?.model ?? "unknown processor"}`);
  const result = await found.run(flags, print);
  console.log(JSON.stringify(result));
  process.exit(result["ok"] === false ? 1 : 0);
}
