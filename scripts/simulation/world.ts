/**
 * A simulated world around the pure reducer of training runs: trainers, network, storage and clock, all drawn from one seed.
 * It models the shell around the reducer: the state is stored after each event, effects write objects before they report, and
 * a crash loses everything that is not stored.
 *
 * An update is modelled as a hash of its inputs, so the name of the last checkpoint tells which updates went into it.
 * Arithmetic is not simulated; the kill test on real processes covers it.
 */
import { createHash } from "node:crypto";
import { PRESETS, supervisionConfigSchema } from "../../shared/config.ts";
import type { NetworkConfig } from "../../shared/network-config.ts";
import { createRandom } from "../../shared/model/random.ts";
import { sequencesOf } from "../../shared/training/compute/data-order.ts";
import { objectiveOf } from "../../shared/training/objectives/list.ts";
import type { Lease, Submission, TaskResult, TrainResult } from "../../shared/training/protocol/task.ts";
import { ARITHMETIC } from "../../shared/training/protocol/arithmetic.ts";
import type * as Run from "../../shared/training/protocol/run.ts";
import { initialState, isOver, trainResults, type Base, type RunSpec, type RunState } from "../../shared/training/protocol/run-state.ts";

/** The reducer, or a mutant of it. */
export type Protocol = Pick<
  typeof Run,
  "lease" | "released" | "submit" | "reduced" | "reissue" | "restarted" | "effectOf" | "rolledBack" | "damaged" | "resumed"
>;

export class Violation extends Error {}

export const nameOf = (...parts: unknown[]): string => createHash("sha256").update(JSON.stringify(parts)).digest("hex");

/** Objectives of the simulated runs: one for each kind of record and network. */
const OBJECTIVES = ["pretrain", "pretrain", "sft", "classify"] as const;
const CLASSIFIER: NetworkConfig = { features: 64, hidden: [8], activation: "relu", labels: ["a", "b"] };

/** Enough for one validation record per shard and a remainder. */
const VAL_RECORDS = 5.2;

/** The properties that are drawn once per world. */
export interface Scene {
  seed: number;
  spec: RunSpec;
  trainers: number;
  /** True if one trainer sends well-formed lies, which only audits can find. */
  byzantine: boolean;
  /** The event at which trainers and coordinator begin to change to the next version of the arithmetic; null for never. */
  deployedAt: number | null;
  /** The round that diverges at the full learning rate; -1 for none. */
  spikeRound: number;
}

export function drawScene(seed: number): Scene {
  const random = createRandom(seed);
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
  const tiny = PRESETS["tiny"]!;
  const byzantine = random() < 0.1;
  const shards = byzantine ? 4 : pick([1, 2, 3, 5]);
  const rounds = byzantine ? 24 : pick([2, 4, 7, 16]);
  const usual = { ...tiny.training, seed, tokens: 1, shards, batch: 8, steps: pick([1, 1, 3]) };
  const supervision = supervisionConfigSchema.parse({
    audit: byzantine ? pick([1, 2, 3]) : pick([0, 0, 2, 3]),
    evaluateEvery: pick([0, 0, 2]),
  });
  // Drawn from a separate generator, so the other properties of a seed do not change.
  const objective = OBJECTIVES[Math.floor(createRandom(seed * 13 + 7)() * OBJECTIVES.length)]!;
  const model: NetworkConfig = objective === "classify" ? CLASSIFIER : { ...tiny.model, vocabSize: 300 };
  const training = { ...usual, objective };
  const spec = {
    run: "r",
    preset: "tiny",
    dataset: nameOf("dataset"),
    valTokens: Math.floor(VAL_RECORDS * objectiveOf(training).examples.recordLength(model)),
    tokenizer: nameOf("tokenizer"),
    model,
    training,
    supervision,
    rounds,
  };
  // Drawn from a separate generator, so the other properties of a seed do not change.
  const deployed = createRandom(seed * 11 + 3);
  return {
    seed,
    spec,
    deployedAt: deployed() < 0.15 ? Math.floor(deployed() * 60) : null,
    trainers: byzantine ? pick([2, 4, 4]) : pick([1, 2, 3, 6]),
    byzantine,
    spikeRound: !byzantine && random() < 0.2 ? pick([5, 9]) : -1,
  };
}

/** The loss of a round. It falls slowly. In the scene's spike round it is high, unless the learning rate was lowered. */
export function lossOf(scene: Scene, round: number, lrScale: number): number {
  return round === scene.spikeRound && lrScale === 1 ? 50 : 4 - round / 100;
}

/** An honest trainer's answer. It depends only on the task and on the trainer's version of the arithmetic. */
export function honest(scene: Scene, { task }: Lease, version = ARITHMETIC): TaskResult {
  const { training } = scene.spec;
  if (task.kind === "evaluate") {
    const slice = { slice: task.shard, slices: task.shards };
    const targets = objectiveOf(task).examples.validationWeight(scene.spec.valTokens!, slice, task.model)!;
    return { kind: "evaluate", lossSum: targets * (3 - task.round / 1000), targets };
  }
  const [first, end] = sequencesOf(training, task.round, task.shard);
  const sequences = end - first;
  return {
    kind: "train",
    delta: [nameOf("delta", task.base, task.shard, ...(version === ARITHMETIC ? [] : [version]))],
    inner: training.steps === 1 ? null : [nameOf("inner", task.base, task.shard)],
    loss: lossOf(scene, task.round, task.lrScale),
    sequences,
    tokens: sequences * objectiveOf(training).examples.tokens(task.model),
    deltaBytes: 100,
    innerBytes: 0,
  };
}

export function answer(lease: Lease, trainer: string, result: TaskResult): Submission {
  const { run, round, shard, base } = lease.task;
  return { lease: lease.id, computeMs: 1, trainer, run, round, shard, base, result };
}

/** The next checkpoint. It depends only on the last checkpoint and the round's results. */
export function checkpointAfter(base: Base, results: readonly TrainResult[]): Base {
  const weights = [nameOf("weights", base.weights, base.lrScale, ...results.map(({ delta }) => delta))];
  const tokens = base.tokens + results.reduce((sum, result) => sum + result.tokens, 0);
  const inner = results.map((result) => result.inner);
  const next = { round: base.round + 1, tokens, lrScale: base.lrScale, weights, outer: null, inner };
  return { ...next, checkpoint: nameOf("checkpoint", next) };
}

export function rolledBackTo(to: Base, lrScale: number): Base {
  const { checkpoint: _, ...state } = { ...to, lrScale };
  return { ...state, checkpoint: nameOf("checkpoint", state) };
}

export function firstBase(spec: RunSpec): Base {
  const state = {
    round: 0,
    tokens: 0,
    lrScale: 1,
    weights: [nameOf("weights", spec.training.seed)],
    outer: null,
    inner: Array.from({ length: spec.training.shards }, () => null),
  };
  return { ...state, checkpoint: nameOf("checkpoint", state) };
}

/** The final state of the same run without any fault. */
export function undisturbed(scene: Scene, protocol: Protocol): RunState {
  let state = initialState(scene.spec, firstBase(scene.spec));
  for (let event = 0; !isOver(state); event++) {
    if (event > 10_000) throw new Violation("expected the undisturbed run to end, but it did not");
    const given = protocol.lease(state, `t${event % Math.max(2, scene.trainers)}`, `l${event}`, event);
    state = given.state;
    if (given.lease !== null) state = protocol.submit(state, answer(given.lease, "t", honest(scene, given.lease)), event).state;
    const effect = protocol.effectOf(state);
    if (effect?.kind === "roll-back")
      state = protocol.rolledBack(state, state.base.checkpoint, rolledBackTo(effect.to, effect.lrScale), effect.reason);
    if (effect?.kind !== "reduce") continue;
    state = protocol.reduced(state, state.base.checkpoint, checkpointAfter(state.base, trainResults(state)), event);
  }
  return state;
}
