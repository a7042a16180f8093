import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createRandom } from "../../../shared/model/random.ts";
import { mostProbableTokens, sampleToken } from "../../../shared/model/sampling.ts";

const PLAIN = { temperature: 1, topK: 0, topP: 1 };
const logitsArbitrary = fc
  .array(fc.float({ min: -20, max: 20, noNaN: true }), { minLength: 1, maxLength: 40 })
  .map((values) => Float32Array.from(values));

describe("sampling", () => {
  test("follows the softmax", () => {
    const logits = Float32Array.from([0.5, 0.25, 0.125, 0.125].map(Math.log));
    const random = createRandom(1);
    const counts = [0, 0, 0, 0];
    for (let draw = 0; draw < 20_000; draw++) counts[sampleToken(logits, PLAIN, random).id]!++;
    // Four standard deviations of a binomial distribution with 20,000 draws are below 300.
    for (const [id, share] of [0.5, 0.25, 0.125, 0.125].entries()) expect(Math.abs(counts[id]! - 20_000 * share)).toBeLessThan(300);
  });

  test("takes the most probable token at temperature 0 and at topK 1", () => {
    fc.assert(
      fc.property(logitsArbitrary, fc.nat(), (logits, seed) => {
        const best = logits.indexOf(Math.max(...logits));
        expect(sampleToken(logits, { ...PLAIN, temperature: 0 }, createRandom(seed)).id).toBe(best);
        expect(sampleToken(logits, { ...PLAIN, topK: 1 }, createRandom(seed)).id).toBe(best);
      }),
    );
  });

  test("stays among the k most probable tokens", () => {
    fc.assert(
      fc.property(logitsArbitrary, fc.integer({ min: 1, max: 50 }), fc.nat(), (logits, topK, seed) => {
        const { id } = sampleToken(logits, { ...PLAIN, topK }, createRandom(seed));
        expect(logits.filter((logit) => logit > logits[id]!).length).toBeLessThan(topK);
      }),
    );
  });

  test("stays in the nucleus: the tokens more probable than the sample do not reach topP", () => {
    fc.assert(
      fc.property(logitsArbitrary, fc.double({ min: 0.01, max: 0.99, noNaN: true }), fc.nat(), (logits, topP, seed) => {
        const { id } = sampleToken(logits, { ...PLAIN, topP }, createRandom(seed));
        const sum = (keep: (logit: number) => boolean) => logits.filter(keep).reduce((total, logit) => total + Math.exp(logit), 0);
        expect(sum((logit) => logit > logits[id]!) / sum(() => true)).toBeLessThan(topP + 1e-9);
      }),
    );
  });

  test("keeps exactly the tokens at least minP times as probable as the best", () => {
    fc.assert(
      fc.property(logitsArbitrary, fc.double({ min: 0.01, max: 1, noNaN: true }), fc.nat(), (logits, minP, seed) => {
        const { id } = sampleToken(logits, { ...PLAIN, minP }, createRandom(seed));
        expect(Math.exp(logits[id]! - Math.max(...logits))).toBeGreaterThanOrEqual(minP);
      }),
    );
  });

  test("reports the probability before penalties", () => {
    const own = Float32Array.from([1, 2, 3]);
    const penalized = Float32Array.from([1, 2, -9]);
    const { id, logProbability } = sampleToken(penalized, { ...PLAIN, temperature: 0 }, createRandom(1), own);
    // By hand: log(e^2 / (e + e^2 + e^3)) = -1.407606.
    expect([id, logProbability]).toEqual([1, expect.closeTo(-1.407606, 5)]);
  });

  test("reports the model's own log probability and gives equal tokens for equal seeds, even at a temperature near 0", () => {
    const logits = Float32Array.from([1, 2, 3]);
    const settings = { temperature: 1e-30, topK: 2, topP: 0.9 };
    const sample = sampleToken(logits, settings, createRandom(4));
    expect(sample).toEqual(sampleToken(logits, settings, createRandom(4)));
    // By hand: log(e^3 / (e + e^2 + e^3)) = -0.407606.
    expect(sample.id).toBe(2);
    expect(sample.logProbability).toBeCloseTo(-0.407606, 5);
  });

  test("reports the most probable tokens; if all tokens are reported, their probabilities add up to 1", () => {
    fc.assert(
      fc.property(logitsArbitrary, fc.integer({ min: 1, max: 50 }), (logits, count) => {
        const all = mostProbableTokens(logits, logits.length);
        expect(all.reduce((sum, { logProbability }) => sum + Math.exp(logProbability), 0)).toBeCloseTo(1, 5);
        for (const [index, { id }] of all.slice(1).entries()) expect(logits[id]).toBeLessThanOrEqual(logits[all[index]!.id]!);
        expect(mostProbableTokens(logits, count)).toEqual(all.slice(0, count));
      }),
    );
  });

  test("refuses settings out of range and logits that are not finite", () => {
    const logits = Float32Array.from([1, 2]);
    expect(() => sampleToken(logits, { ...PLAIN, temperature: -1 }, Math.random)).toThrow("temperature");
    expect(() => sampleToken(logits, { ...PLAIN, topK: 1.5 }, Math.random)).toThrow("topK");
    expect(() => sampleToken(logits, { ...PLAIN, topP: 0 }, Math.random)).toThrow("topP");
    expect(() => sampleToken(logits, { ...PLAIN, minP: 2 }, Math.random)).toThrow("minP");
    expect(() => sampleToken(Float32Array.from([1, Number.NaN]), PLAIN, Math.random)).toThrow("finite");
  });
});
