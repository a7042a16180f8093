/** The predicted CPU time of tasks is compared with measured times. Tasks that no trainer can finish are refused. */
import { expect, test } from "vitest";
import { PRESETS, presetOf, type TrainingConfig } from "../../../../shared/config.ts";
import { checkCpu, estimateEvaluationCpu, estimateTaskCpu } from "../../../../shared/model/footprint/cpu-time.ts";

/** Training tokens per CPU second of workerd, measured as cpu-time.ts describes. */
const MEASURED = { tiny: 45_110, small: 6_585, "shakespeare-char": 7_585, base: 1_021 };

function estimateOf(name: string, change: Partial<TrainingConfig>) {
  const { model, vocabSize, training, tokens } = presetOf(name);
  return estimateTaskCpu({ ...model, vocabSize }, { ...training, seed: 1, tokens, ...change });
}

test.each(Object.entries(MEASURED))("the prediction for %s is below the measured speed, but above half of it", (name, measured) => {
  const { tokens, seconds } = estimateOf(name, { steps: 10 });
  expect(tokens / seconds).toBeLessThan(measured);
  expect(tokens / seconds).toBeGreaterThan(measured / 2);
});

test("a task of one step counts its share of the batch, a task of several steps counts all its batches", () => {
  const { context } = presetOf("tiny").model;
  expect(estimateOf("tiny", { batch: 9, shards: 2, steps: 1 }).tokens).toBe(5 * context);
  expect(estimateOf("tiny", { batch: 9, shards: 2, steps: 3 }).tokens).toBe(27 * context);
});

test("small batches are slower per token, because Muon's update costs the same for every batch", () => {
  const [one, two] = [1, 2].map((batch) => estimateOf("base", { batch, steps: 100 }).seconds);
  expect(two! / one!).toBeLessThan(1.5);
});

test("every preset's task fits an invocation, and a task that does not fit is refused with the figures", () => {
  for (const name of Object.keys(PRESETS)) expect(() => checkCpu(estimateOf(name, {}))).not.toThrow();
  expect(() => checkCpu(estimateOf("base", { steps: 200 }))).toThrow(
    /cpu: expected a task of at most 150 CPU seconds .*, got about 6\d\d \(409600 tokens\); take fewer steps per task/,
  );
});

test("an evaluation whose shards have too many validation tokens is refused too", () => {
  const { model, vocabSize, training, tokens } = presetOf("base");
  const estimate = (shards: number) => estimateEvaluationCpu({ ...model, vocabSize }, { ...training, seed: 1, tokens, shards }, 2_000_000);
  expect(() => checkCpu(estimate(2))).toThrow(/got about \d+ \(1000000 tokens\); take more shards$/);
  expect(() => checkCpu(estimate(16))).not.toThrow();
});
