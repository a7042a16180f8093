/**
 * Estimates the monthly cost of a deployment, from the prices, the crons in the wrangler.toml files, and the usage of one answer,
 * one task and one cron tick. Also estimates how close presets come to the platform's limits. `tests/unit/house/costs.test.ts`
 * compares the tables of workers/README.md with these estimates.
 */
import { presetOf, type ModelConfig, type TrainingConfig } from "../../shared/config.ts";
import { REQUEST_CPU_MS } from "../../shared/costs/gateway-cpu.ts";
import { OBJECT_GB, OPERATIONS_PER_MESSAGE } from "../../shared/costs/prices.ts";
import { addUsage, centsOfMonth, centsOfUsage, timesUsage, type Usage } from "../../shared/costs/usage.ts";
import { MAX_CPU_SECONDS, MAX_ISOLATE_BYTES, MAX_SUBREQUESTS } from "../../shared/limits.ts";
import { estimateTaskCpu } from "../../shared/model/footprint/cpu-time.ts";
import { estimateTaskMemory } from "../../shared/model/footprint/memory.ts";
import { storedBytes } from "../../shared/model/footprint/step-memory.ts";
import { estimateReduction } from "../../shared/model/footprint/subrequests.ts";
import { partition } from "../../shared/model/formats/partition.ts";
import { totalRounds } from "../../shared/training/compute/rounds.ts";
import { readDeployment } from "./deployment.ts";

const MINUTES_PER_MONTH = 30 * 24 * 60;

/** Bytes that Workers Logs keep of one invocation or one line: the event with the attributes that the platform adds. A generous guess. */
const LOG_EVENT_GB = 2e-6;
/** Days for which Workers Logs are kept. developers.cloudflare.com/observability/pricing/ */
const LOG_DAYS = 7;
const logged = (events: number): Usage => ({ logGb: events * LOG_EVENT_GB, logGbMonths: (events * LOG_EVENT_GB * LOG_DAYS) / 30 });

/** The usage of a cron tick without work. The CPU time is a generous guess; the other numbers were counted. */
const TICK: Usage = { requests: 1, cpuMilliseconds: 20, objectRequests: 2, sqlRowsRead: 10, d1RowsRead: 10, ...logged(3) };
/** An object that gets one call per minute is billed for at most ten seconds of that minute. */
const OBJECT_GB_SECONDS_PER_TICK = 10 * OBJECT_GB;

/**
 * The usage of one answer of the default model: three candidates of 64 tokens, stored in D1 and deleted later. The numbers of
 * rows and requests are those that `GET /costs` shows. A token takes 3.4 ms of CPU time. This was measured with the decoder in
 * Node on 2026-12-01, on an AMD EPYC (Zen 4) whose cores are busy with other work: 3 forks of 64 steps after a prompt of 20
 * tokens.
 */
const ANSWER_TOKENS = 3 * 64 + 20;
const MS_PER_TOKEN = 3.4;
const ANSWER: Usage = {
  requests: 1,
  cpuMilliseconds: MS_PER_TOKEN * ANSWER_TOKENS + REQUEST_CPU_MS,
  // Two calls of the ledger: one takes tokens, one books the answer.
  objectRequests: 2,
  objectGbSeconds: 0.05 * OBJECT_GB,
  sqlRowsRead: 6,
  sqlRowsWritten: 3,
  d1RowsRead: 6,
  d1RowsWritten: 2 * 3,
  // Invocations of the gateway, the generator, the feedback Worker (twice), the coordinator and the ledger (twice), and a line of log.
  ...logged(8),
};

/** The minutes between two ticks of a cron expression. The expression must be every minute or every n minutes. */
function minutesOf(cron: string): number {
  const every = /^\*(?:\/(\d+))? \* \* \* \*$/.exec(cron);
  if (every === null) throw new Error(`cron: expected every minute or every so many minutes, got ${cron}`);
  return Number(every[1] ?? 1);
}

/** The usage of a month without questions and without training. */
export function usageAtRest(): Usage {
  const crons = readDeployment("tiffin").workers.flatMap(({ config }) => config.triggers?.crons ?? []);
  const ticks = crons.reduce((sum, cron) => sum + MINUTES_PER_MONTH / minutesOf(cron), 0);
  return timesUsage({ ...TICK, objectGbSeconds: OBJECT_GB_SECONDS_PER_TICK }, ticks);
}

/** The usage of a training run: its tasks, reductions and evaluations. */
export function usageOfRun(model: ModelConfig, training: TrainingConfig): Usage {
  const rounds = totalRounds(training, model);
  const parts = partition(model).length;
  const hasState = training.steps > 1 || training.compression !== "float32";
  const { seconds } = estimateTaskCpu(model, training);
  const states = hasState ? parts : 0;
  const task: Usage = {
    requests: 1,
    queueOperations: OPERATIONS_PER_MESSAGE,
    cpuMilliseconds: seconds * 1000,
    // One call leases the task, one submits the result.
    objectRequests: 2,
    // Reads the weights, the state and one token shard, and checks whether the new state exists. Writes the update and the new state.
    r2ClassB: parts + 2 * states + 1,
    r2ClassA: parts + states,
    sqlRowsWritten: 10,
    // The invocation, a lease and a submission.
    ...logged(3),
  };
  const evaluation: Usage = { ...task, r2ClassB: parts + 2, r2ClassA: 0 };
  // Reads the updates, the weights and the outer state. Writes weights, outer state and manifest, after checking whether they
  // exist.
  const reduction: Usage = {
    r2ClassB: parts * training.shards + 4 * parts,
    r2ClassA: 2 * parts + 1,
    sqlRowsWritten: 10,
    // The object is billed as active for the whole round.
    objectGbSeconds: seconds * OBJECT_GB,
  };
  const usage = timesUsage(task, rounds * training.shards);
  addUsage(usage, timesUsage(reduction, rounds));
  addUsage(usage, timesUsage(evaluation, training.shards));
  return usage;
}

/** The model and training configuration that a run of a preset has. */
function configsOf(preset: string): { model: ModelConfig; training: TrainingConfig } {
  const { model, vocabSize, training, tokens } = presetOf(preset);
  return { model: { ...model, vocabSize }, training: { ...training, seed: 1, tokens } };
}

const dollars = (cents: number) => `$${(cents / 100).toFixed(2)}`;
const ofLimit = (amount: number, limit: number) => `${Math.round((100 * amount) / limit)} %`;
const lines = (rows: readonly (readonly string[])[]) => rows.map((cells) => `| ${cells.join(" | ")} |`);

/** The rows of the cost table: the bill of a month, then the same without the units that the plan includes. */
export function costTable(): string[] {
  const rest = usageAtRest();
  const asked = { ...rest };
  addUsage(asked, timesUsage(ANSWER, 30 * 10_000));
  const { model, training } = configsOf("base");
  const usages: [string, Usage][] = [
    ["at rest", rest],
    ["10,000 answers a day of the default model", asked],
    ["one run of the preset `base`, and nothing else", usageOfRun(model, training)],
  ];
  return lines(usages.map(([what, usage]) => [what, dollars(centsOfMonth(usage)), dollars(centsOfUsage(usage))]));
}

/** The number of shards in the table of limits: the most that a run may have. Many shards make reductions large. */
const WIDE_SHARDS = 250;

/**
 * The rows of the table of limits: the largest invocations of each preset, in percent of the platform's limits. A real run of the
 * default model is too small to come near them.
 */
export function limitTable(): string[] {
  return lines(
    ["tiny", "small", "base"].map((preset) => {
      const { model, training } = configsOf(preset);
      const { total } = estimateTaskMemory(model, training);
      const { requests } = estimateReduction(model, { ...training, shards: WIDE_SHARDS });
      return [
        `\`${preset}\``,
        ofLimit(total, MAX_ISOLATE_BYTES),
        ofLimit(storedBytes(model, training.steps > 1 ? training.optimizer : null), MAX_ISOLATE_BYTES),
        ofLimit(estimateTaskCpu(model, training).seconds, MAX_CPU_SECONDS),
        ofLimit(requests, MAX_SUBREQUESTS),
      ];
    }),
  );
}
