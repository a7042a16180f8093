/**
 * What a deployment costs in a month, from the price list, the crons of the wrangler.toml files and counts of single
 * answers, tasks and cron ticks; and how near presets come to the platform's limits. `tests/unit/house/costs.test.ts`
 * compares the tables of workers/README.md with these.
 */
import { presetOf, type ModelConfig, type TrainingConfig } from "../../shared/config.ts";
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

/** A cron tick without work: the CPU time is a generous guess, everything else was counted. */
const TICK: Usage = { requests: 1, cpuMilliseconds: 20, objectRequests: 2, sqlRowsRead: 10, d1RowsRead: 10 };
/** An object that is called every minute is billed for ten seconds of it at most. */
const OBJECT_GB_SECONDS_PER_TICK = 10 * OBJECT_GB;

/**
 * An answer of the default model: three candidates of 64 tokens, kept in D1 and deleted again later. Rows and requests are
 * what `GET /costs` counts. A token takes 3.4 ms of CPU time of an AMD EPYC (Zen 4) whose cores are busy with other work: the
 * decoder in Node on 2026-12-01, 3 forks of 64 steps after a prompt of 20 tokens. The gateway takes a few milliseconds.
 */
const ANSWER_TOKENS = 3 * 64 + 20;
const MS_PER_TOKEN = 3.4;
const ANSWER: Usage = {
  requests: 1,
  cpuMilliseconds: MS_PER_TOKEN * ANSWER_TOKENS + 5,
  // The ledger: tokens are taken, the answer is booked.
  objectRequests: 2,
  objectGbSeconds: 0.05 * OBJECT_GB,
  sqlRowsRead: 6,
  sqlRowsWritten: 3,
  d1RowsRead: 6,
  d1RowsWritten: 2 * 3,
};

/** The minutes between the ticks of a cron expression: every minute, or every so many minutes. */
function minutesOf(cron: string): number {
  const every = /^\*(?:\/(\d+))? \* \* \* \*$/.exec(cron);
  if (every === null) throw new Error(`cron: expected every minute or every so many minutes, got ${cron}`);
  return Number(every[1] ?? 1);
}

/** A month in which nobody asks and nothing trains. */
export function usageAtRest(): Usage {
  const crons = readDeployment("tiffin").workers.flatMap(({ config }) => config.triggers?.crons ?? []);
  const ticks = crons.reduce((sum, cron) => sum + MINUTES_PER_MONTH / minutesOf(cron), 0);
  return timesUsage({ ...TICK, objectGbSeconds: OBJECT_GB_SECONDS_PER_TICK }, ticks);
}

/** A training run: its tasks, reductions and the storage operations of both. */
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
    // A lease and a submission.
    objectRequests: 2,
    // Weights and state, one token shard, the look at the new state; the update and the new state.
    r2ClassB: parts + 2 * states + 1,
    r2ClassA: parts + states,
    sqlRowsWritten: 10,
  };
  const evaluation: Usage = { ...task, r2ClassB: parts + 2, r2ClassA: 0 };
  // Reads the updates, the weights and the outer state; writes weights, outer state and manifest, and looks at what is there.
  const reduction: Usage = {
    r2ClassB: parts * training.shards + 4 * parts,
    r2ClassA: 2 * parts + 1,
    sqlRowsWritten: 10,
    // The object is active as long as the round lasts.
    objectGbSeconds: seconds * OBJECT_GB,
  };
  const usage = timesUsage(task, rounds * training.shards);
  addUsage(usage, timesUsage(reduction, rounds));
  addUsage(usage, timesUsage(evaluation, training.shards));
  return usage;
}

/** A preset as a run has it. */
function configsOf(preset: string): { model: ModelConfig; training: TrainingConfig } {
  const { model, vocabSize, training, tokens } = presetOf(preset);
  return { model: { ...model, vocabSize }, training: { ...training, seed: 1, tokens } };
}

const dollars = (cents: number) => `$${(cents / 100).toFixed(2)}`;
const ofLimit = (amount: number, limit: number) => `${Math.round((100 * amount) / limit)} %`;
const lines = (rows: readonly (readonly string[])[]) => rows.map((cells) => `| ${cells.join(" | ")} |`);

/** A month's bill, and the same without the units that the plan includes. */
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

/** Shards of a wide run of the table of limits: the most that a run may have. */
const WIDE_SHARDS = 250;

/** What the journey's small model cannot show: the largest invocations of other presets, in per cent of their limits. */
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
