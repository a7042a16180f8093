import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { exampleOf, permute, shardRange } from "../../../../shared/training/compute/data-order.ts";

/** The order of one epoch of 100 examples. */
const order = (seed: number, epoch: number) => Array.from({ length: 100 }, (_, index) => exampleOf(seed, epoch * 100 + index, 100)).join();

describe("data order", () => {
  test("visits every example exactly once per epoch, for any number of examples", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.nat(0xffff_ffff), fc.nat(5), (examples, seed, epoch) => {
        const visited = Array.from({ length: examples }, (_, index) => exampleOf(seed, epoch * examples + index, examples));
        expect(visited.toSorted((a, b) => a - b)).toEqual(Array.from({ length: examples }, (_, index) => index));
      }),
    );
  });

  test("gives each epoch and each seed its own order", () => {
    expect(new Set([order(1, 0), order(1, 1), order(2, 0), order(2, 1)]).size).toBe(4);
    expect(order(1, 0)).toBe(order(1, 0));
  });

  test("stays within range for large datasets", () => {
    for (const size of [65_536, 65_537, 1_000_003]) {
      const images = Array.from({ length: 1000 }, (_, index) => permute(size - 1 - index, size, 7));
      expect(new Set(images).size).toBe(1000);
      expect(Math.min(...images)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...images)).toBeLessThan(size);
    }
  });

  test("divides a batch among shards without gap or overlap", () => {
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

  test("refuses a dataset without an example", () => {
    expect(() => exampleOf(1, 0, 0)).toThrow("at least one example");
  });
});
