/**
 * The calls to the Worker feedback: tallies that order an answer's candidates, and a record by which the answer can be scored.
 * Neither holds an answer back: while feedback is down or slow, candidates are unrated and the answer cannot be scored.
 */
import type { Tally } from "../../shared/contracts/feedback.ts";

/** Longer than D1 takes for a handful of rows, shorter than a person waits. */
const TIMEOUT_MS = 2000;

export const UNRATED: Tally = { reward: 0, votes: 0 };

type ResponseRecord = Parameters<GeneratorEnv["FEEDBACK"]["record"]>[0];

/** A result in time, or null with the reason in the log. */
async function inTime<T>(what: string, call: Promise<T>): Promise<T | null> {
  const late = scheduler.wait(TIMEOUT_MS).then(() => {
    throw new Error(`expected an answer within ${TIMEOUT_MS / 1000} s, got none`);
  });
  try {
    return await Promise.race([call, late]);
  } catch (error) {
    // oxlint-disable-next-line no-console -- the only trace of an answer without votes
    console.error(`${what}: ${(error as Error).message}`);
    return null;
  }
}

/** The tally of each text. */
export async function talliesOf(env: GeneratorEnv, texts: string[]): Promise<Tally[]> {
  return (await inTime("all candidates count as unrated", env.FEEDBACK.rewards(texts))) ?? texts.map(() => UNRATED);
}

/** Keeps an answer. True when it can be scored by its id. */
export async function record(env: GeneratorEnv, answer: ResponseRecord): Promise<boolean> {
  return (
    (await inTime(
      "the answer cannot be scored",
      env.FEEDBACK.record(answer).then(() => true),
    )) ?? false
  );
}
