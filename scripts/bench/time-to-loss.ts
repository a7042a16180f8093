/**
 * `npm run bench -- time-to-loss [--tokens N] [--batch N] [--steps N] [--trainers N] [--every N] [--no-sprint] [--text FILE]
 * [--json]`: the time until a model of tinyshakespeare's characters reaches a validation loss, on all cores, with the real
 * coordinator and trainers. The time runs from the first lease to the commit of the first checkpoint at or below the target,
 * without the time of evaluations.
 */
import { availableParallelism } from "node:os";
import { presetOf } from "../../shared/config.ts";
import type { Print } from "../cli/runner.ts";
import { SHAKESPEARE, shakespeareRun, startBenchLocal } from "./support/shakespeare.ts";

const TARGET_LOSS = 1.88;
/**
 * The highest learning rates that a run of about 200 steps tolerates, and a shorter momentum. All other settings are those of
 * preset shakespeare-char.
 */
const SPRINT = { lr: 0.04, adamLr: 0.01, momentum: 0.9 };
const DECAY = 0.8;
/** The plain mean of the shards. DiLoCo's outer momentum helps only in runs of hundreds of rounds. */
const OUTER = { name: "nesterov", lr: 1, momentum: 0 } as const;
/** 160 local steps for each of two shards, with 12 sequences of 64 tokens per step. */
const TOKENS = 160 * 2 * 12 * 64;

const DEFAULTS = presetOf("shakespeare-char").training;

export const FLAGS = {
  tokens: TOKENS,
  batch: DEFAULTS.batch,
  steps: 16,
  trainers: availableParallelism(),
  every: 0,
  sprint: true,
  text: SHAKESPEARE,
};

export async function run(flags: typeof FLAGS, print: Print): Promise<Record<string, unknown>> {
  const { tokens, batch, steps, trainers } = flags;
  const { local, dataset } = await startBenchLocal("time-to-loss", flags.text, trainers);
  try {
    const supervision = { evaluateEvery: flags.every, targetLoss: TARGET_LOSS };
    // Without the sprint the preset's own rates apply, which suit runs of 250 to 400 steps.
    const optimizer = flags.sprint ? { ...DEFAULTS.optimizer, ...SPRINT } : DEFAULTS.optimizer;
    const schedule = flags.sprint ? { warmupSteps: 0, decay: DECAY } : DEFAULTS.schedule;
    const training = { shards: trainers, steps, batch, optimizer, outer: OUTER, schedule };
    const request = { preset: "shakespeare-char", dataset, tokens, ...training, supervision };
    const status = await shakespeareRun(local, request, print);
    const last = status.evaluations.at(-1)!;
    for (const { round, valLoss, trainingSeconds } of status.evaluations)
      print(`round ${round}: ${valLoss.toFixed(3)} after ${trainingSeconds.toFixed(1)} s`);
    const reached = last.valLoss <= TARGET_LOSS;
    return {
      targetLoss: TARGET_LOSS,
      valLoss: last.valLoss,
      seconds: last.trainingSeconds,
      steps: last.round * steps,
      tokens: status.tokens,
      trainers,
      mode: steps === 1 ? "exact" : `local steps of ${steps}`,
      tokensPerSecond: Math.round(status.tokens! / last.trainingSeconds),
      computeSeconds: status.computeSeconds! / trainers,
      ok: reached,
    };
  } finally {
    await local.stop();
  }
}
