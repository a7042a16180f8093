/**
 * `npm run bench -- scaling [--seconds 20] [--turns 5] [--text FILE] [--json]`: the speed-up by a second trainer and the cost
 * of coordination, on real processes, with tasks of --seconds. Runs of one shard and runs of two shards alternate, because a
 * machine's speed changes within minutes. The result is the median ratio of all turns. From the measured costs of the
 * coordinator the bench then computes rounds of up to 250 shards: at which number the coordinator saturates, and how much a
 * round costs.
 */
import { measureCoordinator } from "./support/coordinator-costs.ts";
import { addTrainer } from "../local/stack.ts";
import type { Print } from "../cli/runner.ts";
import { median } from "./support/statistics.ts";
import { SHAKESPEARE, shakespeareRun, startBenchLocal } from "./support/shakespeare.ts";
import { simulateRounds, type Latencies } from "../simulation/saturation.ts";
import { centsOf } from "../../shared/training/protocol/cost.ts";

const PRESET = "shakespeare-char";
const TOKENS_PER_STEP = 12 * 64;
const CALIBRATION_STEPS = 20;
const MIN_SPEED_UP = 1.8;
const MAX_OVERHEAD = 0.05;
/** The coordinator counts as saturated if trainers wait for more than this share of a round. */
const MAX_SIMULATED_WAIT = 0.2;
const SHARDS = [1, 2, 4, 8, 16, 32, 64, 125, 250] as const;
/** Assumed latencies of the hosted platform. They cannot be measured on this machine. */
const LATENCIES: Latencies = { rpcMs: 20, readMs: 40, writeMs: 80, msPerMB: 20 };
const JITTER = 0.05;
const READ_AHEAD = 4;

/** Rates from the first lease to the last commit. `overhead` is the share of the trainers' time that is not computing. */
interface Measured {
  trainers: number;
  taskSeconds: number;
  tokensPerSecond: number;
  overhead: number;
}

export const FLAGS = { seconds: 20, turns: 5, text: SHAKESPEARE };

export async function run({ seconds, turns, text }: typeof FLAGS, print: Print): Promise<Record<string, unknown>> {
  const measured: [Measured, Measured][] = [];
  const stopping = new AbortController();
  const { local, dataset, state } = await startBenchLocal("scaling", text, 1);
  try {
    const measure = async (trainers: number, steps: number, count: number): Promise<Measured> => {
      const tokens = count * steps * trainers * TOKENS_PER_STEP;
      const status = await shakespeareRun(local, { preset: PRESET, dataset, tokens, shards: trainers, steps }, print);
      const [computing, wall] = [status.computeSeconds!, status.trainingSeconds!];
      return {
        trainers,
        taskSeconds: computing / (count * trainers),
        tokensPerSecond: status.tokens! / wall,
        overhead: 1 - computing / (trainers * wall),
      };
    };
    // The engine optimizes kernels during the first steps, so the first steps are not measured.
    await measure(1, CALIBRATION_STEPS, 1);
    const { taskSeconds } = await measure(1, CALIBRATION_STEPS, 2);
    const steps = Math.max(2, Math.round((seconds * CALIBRATION_STEPS) / taskSeconds));
    print(`${((1000 * taskSeconds) / CALIBRATION_STEPS).toFixed(0)} ms per step: tasks of ${steps} steps`);
    await addTrainer("trainer-2", stopping.signal, state);
    // Warms up the second trainer. The calibration has warmed up the first.
    await measure(2, CALIBRATION_STEPS, 2);
    for (let turn = 1; turn <= turns; turn++) {
      const pair: [Measured, Measured] = [await measure(1, steps, 1), await measure(2, steps, 1)];
      measured.push(pair);
      for (const of of pair)
        print(
          `turn ${turn}, ${of.trainers} trainers: ${Math.round(of.tokensPerSecond)} tokens/s, tasks of ${of.taskSeconds.toFixed(1)} s, ${(100 * of.overhead).toFixed(1)} % coordination`,
        );
    }
  } finally {
    stopping.abort();
    await local.stop();
  }
  const speedUp = median(measured.map(([one, two]) => two.tokensPerSecond / one.tokensPerSecond));
  const overhead = median(measured.map(([, two]) => two.overhead));
  print(`two trainers are ${speedUp.toFixed(2)} times as fast as one, with ${(100 * overhead).toFixed(1)} % coordination`);

  const { costs, deltaMB, measured: costsAt } = await measureCoordinator(PRESET);
  const load = { taskSeconds: seconds, jitter: JITTER, deltaMB, innerMB: deltaMB, readAhead: READ_AHEAD };
  const simulated = SHARDS.map((shards) => simulateRounds(shards, costs, LATENCIES, load));
  print(`assumed: ${JSON.stringify(LATENCIES)}, tasks of ${seconds} s within ${100 * JITTER} %, updates of ${deltaMB.toFixed(1)} MB`);
  print(["shards", "s/round", "waits", "worth", "thread ms", "busy", "cents"].map((head) => head.padStart(10)).join(""));
  for (const row of simulated)
    print(
      [
        row.shards,
        row.secondsPerRound.toFixed(1),
        `${(100 * row.overhead).toFixed(1)} %`,
        (row.shards * (1 - row.overhead)).toFixed(0),
        row.coordinatorMs.toFixed(0),
        `${(100 * row.busy).toFixed(0)} %`,
        centsOf(row.coordinatorMs).toFixed(5),
      ]
        .map((cell) => String(cell).padStart(10))
        .join(""),
    );
  const saturatesAt = simulated.find((row) => row.overhead > MAX_SIMULATED_WAIT)?.shards ?? null;
  return {
    measured,
    speedUp,
    overhead,
    coordinatorCosts: costsAt,
    latencies: LATENCIES,
    simulated,
    saturatesAt,
    ok: speedUp >= MIN_SPEED_UP && overhead <= MAX_OVERHEAD,
  };
}
