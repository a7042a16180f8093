/** The number of training tokens that fit into the time of `npm start`. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { lessonCount, lrScaleOf, TOKENS_OF_A_LESSON } from "../../../scripts/local/teach.ts";
import { tokensThatFit } from "../../../scripts/local/train-stage.ts";

const ROUND = 20_480;
const LEAST = 8 * ROUND;
const run = (tokensPerSecond: number) => ({ tokensPerSecond, totalTokens: 74 * ROUND, rounds: 74 });

test("a fast machine trains the whole run", () => {
  expect(tokensThatFit(run(13_000), 300)).toBeNull();
});

test("a slow machine trains as many whole rounds as possible and keeps time for the lessons", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1000, max: 20_000 }), fc.integer({ min: 30, max: 2000 }), (rate, seconds) => {
      const { totalTokens } = run(rate);
      const tokens = tokensThatFit(run(rate), seconds) ?? totalTokens;
      const secondsFor = (count: number) => (count + TOKENS_OF_A_LESSON * lessonCount(count)) / rate;
      expect(tokens % ROUND).toBe(0);
      // Half a minute is kept for everything except training, and at least 150,000 tokens are trained.
      expect(tokens === LEAST || secondsFor(tokens) <= seconds - 30).toBe(true);
      expect(tokens === totalTokens || secondsFor(tokens + ROUND) > seconds - 30).toBe(true);
    }),
  );
});

test("without time a run still has 150,000 tokens", () => {
  expect(tokensThatFit(run(2000), -5)).toBe(LEAST);
});

test("the lessons take at most a quarter of the training time of a whole run, and are enough after a short run", () => {
  expect((TOKENS_OF_A_LESSON * lessonCount(1_500_000)) / 1_500_000).toBeLessThan(1 / 3);
  expect([lessonCount(150_000), lessonCount(600_000)]).toEqual([3000, 3000]);
  expect(lessonCount(10_000)).toBe(200);
});

test("the rate of the lessons falls without a jump", () => {
  expect([200, 3000, 5000, 20_000].map(lrScaleOf)).toEqual([0.6, 0.6, 0.25, 0.25]);
  for (let lessons = 200; lessons < 6000; lessons += 50) expect(Math.abs(lrScaleOf(lessons + 50) - lrScaleOf(lessons))).toBeLessThan(0.01);
});
