/**
 * `npm run bench -- NAME [--json] [--flag value]`: runs scripts/bench/NAME.ts, which prints a table for people. The last
 * line is one JSON object; with --json it is the only line on stdout.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { cpus } from "node:os";

/** What a file in scripts/bench/ exports. */
export interface Bench {
  /** `print` shows a line to people; what is returned is the JSON object. */
  run(flags: Readonly<Record<string, string>>, print: (line: string) => void): Promise<Record<string, unknown>>;
}

const FOLDER = join(import.meta.dirname, "bench");
const names = readdirSync(FOLDER)
  .filter((file) => file.endsWith(".ts"))
  .map((file) => file.slice(0, -".ts".length));

const { values, positionals, tokens } = parseArgs({ strict: false, allowPositionals: true, tokens: true });
const name = positionals[0];
if (name === undefined || !names.includes(name)) {
  console.error(`bench: expected one of ${names.join(", ")}, got ${name ?? "nothing"}. Usage: npm run bench -- NAME [--json]`);
  process.exit(1);
}
// `--flag value` reaches a bench as flags.flag; parseArgs without a declaration sees the value as a positional.
const flags: Record<string, string> = {};
for (const [index, token] of tokens.entries()) {
  const next = tokens[index + 1];
  if (token.kind === "option")
    flags[token.name] = token.value ?? (next?.kind === "positional" && token.name !== "json" ? next.value : "true");
}
const json = values["json"] === true;
const print = (line: string) => (json ? process.stderr.write(`${line}\n`) : console.log(line));
const bench = (await import(join(FOLDER, `${name}.ts`))) as Bench;
print(`bench ${name} · ${new Date().toISOString().slice(0, 10)} · ${cpus().length} x ${cpus()[0]?.model ?? "unknown processor"}`);
console.log(JSON.stringify(await bench.run(flags, print)));
