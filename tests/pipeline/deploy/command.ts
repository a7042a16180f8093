/** Runs a command of scripts/ as an operator would, against a fake Cloudflare account. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { ROOT } from "../../../scripts/local/workers.ts";
import type { FakeCloudflare } from "./fake-cloudflare.ts";

export interface CommandOptions {
  args?: readonly string[];
  env?: Record<string, string>;
  /** Text for standard input. */
  input?: string;
}

export async function runCommand(cloud: FakeCloudflare, command: string, { args = [], env = {}, input = "" }: CommandOptions = {}) {
  const child = spawn(join(ROOT, "node_modules/.bin/node"), [join(ROOT, "scripts", `${command}.ts`), ...args], {
    env: { ...process.env, CLOUDFLARE_API_BASE_URL: cloud.url, CLOUDFLARE_API_TOKEN: "fake-token", OPERATOR_TOKEN: "", ...env },
  });
  const closed = new Promise<number | null>((resolve) => child.once("close", resolve));
  child.stdin.end(input);
  const [stdout, stderr, status] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
  return { stdout, stderr, status };
}
