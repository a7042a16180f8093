/** Stages of `npm start` that train: each starts or rejoins a run and shows its progress until the run is done. */
import { startedRunSchema, type RunStatus } from "../../shared/contracts/runs.ts";
import { Stage } from "../cli/progress.ts";
import type { Client } from "./client.ts";
import { isDone, pollRun } from "./poll-run.ts";

const POLL_MS = 500;

/** One round's time holds the start of the trainers, so the speed is taken between the ends of the first two rounds. */
const MEASURED_ROUNDS = 2;
/** Share of the training time that the lessons take after it. */
const LESSON_SHARE = 0.25;
/** Time for evaluations, publishing and questions. */
const RESERVE_SECONDS = 30;
/** After fewer tokens a model answers nothing that makes sense (seen after 100,000), so a slower machine takes longer. */
const MIN_TOKENS = 300_000;

/** Starts or rejoins the run and shows its progress until it is done, or until `isEnough`. Returns the last status. */
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

/** True once a run's speed is known. */
export const isMeasured = ({ round, tokensPerSecond }: RunStatus): boolean => (round ?? 0) >= MEASURED_ROUNDS && tokensPerSecond !== null;

/**
 * The tokens of a run that fits into `seconds` with the lessons after it, in whole rounds, by the speed measured so far. Null
 * when the whole run fits.
 */
export function tokensThatFit(status: Pick<RunStatus, "tokensPerSecond" | "totalTokens" | "rounds">, seconds: number): number | null {
  const { tokensPerSecond, totalTokens, rounds } = status;
  if (tokensPerSecond === null || totalTokens === null || rounds === null) return null;
  const tokens = (Math.max(0, seconds - RESERVE_SECONDS) / (1 + LESSON_SHARE)) * tokensPerSecond;
  const perRound = totalTokens / rounds;
  const fitting = Math.max(1, Math.floor(tokens / perRound), Math.ceil(MIN_TOKENS / perRound)) * perRound;
  return fitting >= totalTokens ? null : fitting;
}
