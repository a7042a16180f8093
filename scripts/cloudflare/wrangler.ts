/**
 * Runs wrangler for a deployment. Standard output and standard error are kept apart, because warnings are on standard error
 * and must be shown.
 */
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";
import { stripVTControlCharacters } from "node:util";
import { ROOT } from "../local/workers.ts";

export interface WranglerOutput {
  stdout: string;
  /** Lines without colours; empty lines are dropped. */
  warnings: string[];
}

/** The program of wrangler. The package's own command starts it in a second process, which costs a fifth more CPU time. */
const PROGRAM = createRequire(import.meta.url).resolve("wrangler");

/** Runs a wrangler command to its end. If its exit code is not 0, throws with all of its output. */
export async function runWrangler(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<WranglerOutput> {
  const child = spawn(process.execPath, ["--no-warnings", PROGRAM, ...args], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
    // With CI, wrangler asks no questions. The checks of preflight.ts replace the questions.
    env: { ...process.env, CI: "true", FORCE_COLOR: "0", WRANGLER_SEND_METRICS: "false", WRANGLER_HIDE_BANNER: "true", ...env },
  });
  const exit = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  const [stdout, stderr, status] = await Promise.all([text(child.stdout), text(child.stderr), exit]);
  const plain = stripVTControlCharacters(stderr);
  if (status !== 0) {
    const output = `${stripVTControlCharacters(stdout)}\n${plain}`.trim();
    throw new Error(`expected "wrangler ${args.slice(0, 3).join(" ")}" to exit with 0, got ${status}\n${output}`);
  }
  return { stdout: stripVTControlCharacters(stdout), warnings: plain.split("\n").filter((line) => line.trim() !== "") };
}
