/** Penalties and biases, against a plain reference that handles one token after the other. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { NO_PENALTIES, penalize, type PenaltySettings } from "../../../shared/model/penalties.ts";

const V = 8;
const idArbitrary = fc.integer({ min: 0, max: V - 1 });
const logitsArbitrary = fc
  .array(fc.float({ min: -20, max: 20, noNaN: true }), { minLength: V, maxLength: V })
  .map((values) => Float32Array.from(values));
const settingsArbitrary: fc.Arbitrary<PenaltySettings> = fc.record({
  presencePenalty: fc.double({ min: -2, max: 2, noNaN: true }),
  frequencyPenalty: fc.double({ min: -2, max: 2, noNaN: true }),
  repetitionPenalty: fc.double({ min: 0.5, max: 2, noNaN: true }),
  logitBias: fc.dictionary(fc.integer({ min: 0, max: V + 2 }).map(String), fc.double({ min: -100, max: 100, noNaN: true })),
});

function countsOf(prompt: readonly number[], text: readonly number[]) {
  const generated = new Map<number, number>();
  for (const id of text) generated.set(id, (generated.get(id) ?? 0) + 1);
  return { prompt: new Set(prompt), generated };
}

test("every logit equals the reference", () => {
  fc.assert(
    fc.property(logitsArbitrary, settingsArbitrary, fc.array(idArbitrary), fc.array(idArbitrary), (logits, settings, prompt, text) => {
      const { presencePenalty, frequencyPenalty, repetitionPenalty, logitBias } = settings;
      const expected = [...logits].map((logit, id) => {
        const count = text.filter((other) => other === id).length;
        const isKnown = count > 0 || prompt.includes(id);
        const repeated = !isKnown ? logit : logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty;
        return repeated - (count > 0 ? presencePenalty + frequencyPenalty * count : 0) + (logitBias[id] ?? 0);
      });
      const got = penalize(logits, settings, countsOf(prompt, text));
      expect(got).toHaveLength(V);
      for (const [id, logit] of expected.entries()) expect(got[id]).toBeCloseTo(logit, 3);
    }),
  );
});

test("neutral settings change nothing and copy nothing", () => {
  const logits = Float32Array.from([1, -2, 3]);
  expect(penalize(logits, NO_PENALTIES, countsOf([0], [1, 1]))).toBe(logits);
});

test("the model's own logits are not changed", () => {
  const logits = Float32Array.from([1, -2, 3]);
  penalize(logits, { ...NO_PENALTIES, logitBias: { 0: 5 }, presencePenalty: 1 }, countsOf([0], [1, 1]));
  expect([...logits]).toEqual([1, -2, 3]);
});
