/** Stages of `npm start` that train. Each stage starts a run, or finds it running, and shows its progress until the run is done. */
import { startedRunSchema, type RunStatus } from "../../shared/contracts/runs.ts";
import { Stage } from "../cli/progress.ts";
import type { Client } from "./client.ts";
import { isDone, pollRun } from "./poll-run.ts";
import { lessonCount, TOKENS_OF_A_LESSON } from "./teach.ts";

const POLL_MS = 500;

/** The speed is measured between the ends of the first two rounds, because the first round includes the start of the trainers. */
const MEASURED_ROUNDS = 2;
/** Seconds that are kept for evaluations, publishing and questions. */
const RESERVE_SECONDS = 30;
/** The fewest tokens of pretraining. A slower machine takes longer than planned. scripts/bench/README.md compares numbers. */
const MIN_TOKENS = 150_000;

/**
 * Starts the run, or finds it running, and shows its progress until the run is done or `isEnough` is true. Returns the last
 * status.
 */
export async function trainStage(
  client: Client,
  request: Record<string, unknown>,
  label: string,
  isEnough: (status: RunStatus) => boolean = () => false,
): Promise<RunStatus> {
  const { run } = await client.call("POST", "/runs", startedRunSchema, request);
  const shown: { name: string; stage: Stage | null } = { name: "", stage: null };
  const onStatus = (status: RunStatus): void => {
    const name = status.state === "preparing" ? status.progress.stage : status.state === "training" ? label : "evaluate";
    if (name !== shown.name) {
      shown.stage?.done("done");
      shown.stage = new Stage(name, status.state === "training" ? "tokens" : "");
      shown.name = name;
    }
    if (status.state !== "training") return shown.stage?.update(status.progress.done, status.progress.total);
    const loss = status.losses.at(-1)?.loss;
    const note = loss === undefined ? "" : `loss ${loss.toFixed(3)}`;
    shown.stage?.update(status.tokens ?? 0, status.totalTokens ?? 0, note, status.tokensPerSecond, status.secondsLeft);
  };
  try {
    const status = await pollRun(client, run, (each) => isDone(each) || isEnough(each), { pollMs: POLL_MS, onStatus });
    if (!isDone(status)) return status;
    const unit = status.unigramLoss === null ? "nats per answer" : `nats per token (unigram ${status.unigramLoss.toFixed(3)})`;
    shown.stage?.done(`validation loss ${status.valLoss?.toFixed(3)} ${unit}`);
    return status;
  } catch (error) {
    shown.stage?.fail((error as Error).message);
    throw new Error(`${(error as Error).message}. Logs are in .tiffin/logs; \`npm start -- --fresh\` starts from scratch.`, {
      cause: error,
    });
  }
}

/** True if the run's speed is known. */
export const isMeasured = ({ round, tokensPerSecond }: RunStatus): boolean => (round ?? 0) >= MEASURED_ROUNDS && tokensPerSecond !== null;

/**
 * The tokens of a run that fits into `seconds` together with its lessons, in whole rounds, at the measured speed. Null if the
 * whole run fits.
 */
export function tokensThatFit(status: Pick<RunStatus, "tokensPerSecond" | "totalTokens" | "rounds">, seconds: number): number | null {
  const { tokensPerSecond, totalTokens, rounds } = status;
  if (tokensPerSecond === null || totalTokens === null || rounds === null) return null;
  const perRound = totalTokens / rounds;
  const fits = (tokens: number) => tokens + TOKENS_OF_A_LESSON * lessonCount(tokens) <= (seconds - RESERVE_SECONDS) * tokensPerSecond;
  let fitting = totalTokens;
  while (fitting - perRound >= MIN_TOKENS && !fits(fitting)) fitting -= perRound;
  return fitting === totalTokens ? null : fitting;
}
