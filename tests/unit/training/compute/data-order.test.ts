import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { permute, shardRange, validationTargets, windowCount, windowOf } from "../../../../shared/training/compute/data-order.ts";

/** One epoch of 100 windows. */
const order = (seed: number, epoch: number) => Array.from({ length: 100 }, (_, index) => windowOf(seed, epoch * 100 + index, 100)).join();

describe("data order", () => {
  test("counts only windows whose last label exists", () => {
    expect([0, 1, 4, 5, 8, 9].map((tokens) => windowCount(tokens, 4))).toEqual([0, 0, 0, 1, 1, 2]);
  });

  test("visits every window exactly once per epoch, for any number of windows", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.nat(0xffff_ffff), fc.nat(5), (windows, seed, epoch) => {
        const visited = Array.from({ length: windows }, (_, index) => windowOf(seed, epoch * windows + index, windows));
        expect(visited.toSorted((a, b) => a - b)).toEqual(Array.from({ length: windows }, (_, index) => index));
      }),
    );
  });

  test("orders each epoch and each seed differently", () => {
    expect(new Set([order(1, 0), order(1, 1), order(2, 0), order(2, 1)]).size).toBe(4);
    expect(order(1, 0)).toBe(order(1, 0));
  });

  test("makes every validation token but the first a target of one slice", () => {
    // Windows of 4 targets over 10 of them: 4, 4 and 2; the third is in the first slice of two again.
    expect([0, 1].map((shard) => validationTargets(11, 4, shard, 2))).toEqual([6, 4]);
    fc.assert(
      fc.property(fc.nat(500), fc.integer({ min: 1, max: 70 }), fc.integer({ min: 1, max: 20 }), (tokens, context, shards) => {
        const slices = Array.from({ length: shards }, (_, shard) => validationTargets(tokens, context, shard, shards));
        expect(slices.reduce((sum, targets) => sum + targets, 0)).toBe(Math.max(0, tokens - 1));
      }),
    );
  });

  test("stays within range for large datasets", () => {
    for (const size of [65_536, 65_537, 1_000_003]) {
      const images = Array.from({ length: 1000 }, (_, index) => permute(size - 1 - index, size, 7));
      expect(new Set(images).size).toBe(1000);
      expect(Math.min(...images)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...images)).toBeLessThan(size);
    }
  });

  test("deals a batch to shards without gap or overlap", () => {
    fc.assert(
      fc.property(fc.nat(500), fc.integer({ min: 1, max: 50 }), (count, shards) => {
        let next = 0;
        for (let shard = 0; shard < shards; shard++) {
          const [first, end] = shardRange(count, shard, shards);
          expect(first).toBe(next);
          next = end;
        }
        expect(next).toBe(count);
      }),
    );
  });

  test("refuses a dataset without a window", () => {
    expect(() => windowOf(1, 0, 0)).toThrow("at least one window");
  });
});
