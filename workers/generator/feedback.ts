/**
 * Calls to the Worker `feedback`: for the tallies that rank candidates, and to record an answer so that it can be scored.
 * While feedback is down or slow, the generator still answers: candidates count as unrated, and the answer cannot be scored.
 */
import type { Tally } from "../../shared/contracts/feedback.ts";
import { inTime } from "../../shared/in-time.ts";
import { account } from "./account.ts";

/** Longer than D1 needs for a few rows, and short enough for a person to wait. */
const TIMEOUT_MS = 2000;

export const UNRATED: Tally = { reward: 0, votes: 0 };

type ResponseRecord = Parameters<GeneratorEnv["FEEDBACK"]["record"]>[0];

/** The tally of each text. */
export async function talliesOf(env: GeneratorEnv, texts: string[], request: string): Promise<Tally[]> {
  return (
    (await inTime("all candidates count as unrated", env.FEEDBACK.rewards(texts), TIMEOUT_MS, { request })) ?? texts.map(() => UNRATED)
  );
}

/** Records an answer. Returns true if the answer can be scored by its id. */
export async function record(env: GeneratorEnv, answer: ResponseRecord): Promise<boolean> {
  const used = await inTime("the answer cannot be scored", env.FEEDBACK.record(answer), TIMEOUT_MS, { request: answer.id });
  if (used === null) return false;
  account.add(used.usage);
  account.note(used.d1Bytes);
  return true;
}
