/**
 * Finds a Tiffin for one command: at `--url`, or running from this folder. If there is none, starts one on this folder's state
 * and stops it at the end. For a Tiffin on another machine, the environment variable OPERATOR_TOKEN has the operator's token.
 */
import { operatorToken, runningLocal, startLocal } from "./stack.ts";

const ANSWER_TIMEOUT_MS = 5000;

export interface Reached {
  url: string;
  token: string;
  close(): Promise<void>;
}

const leaveRunning = async () => undefined;

/** The operator's token: from the environment, or for this machine from this folder's .dev.vars. */
export function tokenOf(url: string): string {
  const isHere = URL.canParse(url) && ["127.0.0.1", "localhost"].includes(new URL(url).hostname);
  const token = process.env["OPERATOR_TOKEN"] ?? (isHere ? operatorToken() : undefined);
  if (token === undefined) throw new Error(`--url: expected the operator's token of ${url} in OPERATOR_TOKEN, but the variable is not set`);
  return token;
}

/** The Tiffin that runs from this folder; null if none answers. */
async function running(): Promise<{ url: string; token: string } | null> {
  try {
    const local = runningLocal();
    const headers = { authorization: `Bearer ${local.token}` };
    const answer = await fetch(`${local.url}/models`, { headers, signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
    await answer.body?.cancel();
    return answer.ok ? local : null;
  } catch {
    // There is no address file, or nobody listens at the address. In both cases no Tiffin runs.
    return null;
  }
}

export async function reachTiffin(url?: string): Promise<Reached> {
  if (url !== undefined) return { url: url.replace(/\/$/, ""), token: tokenOf(url), close: leaveRunning };
  const known = await running();
  if (known !== null) return { ...known, close: leaveRunning };
  process.stderr.write("No Tiffin runs from this folder: starting one on its state for this command.\n");
  const local = await startLocal({ trainers: 1 });
  return { url: local.url, token: local.token, close: () => local.stop() };
}
