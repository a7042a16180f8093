import * as fc from "fast-check";
import { expect, test } from "vitest";
import { alignHeap } from "../../../../shared/tensor/engine/aligned-heap.ts";

/** An allocator that aligns to eight bytes and refuses more than 1 MiB at once. `live` maps blocks to their sizes. */
function allocator() {
  const live = new Map<number, number>();
  let end = 8;
  const runtime = {
    _malloc(bytes: number): number {
      if (bytes > 2 ** 20) return 0;
      const start = end;
      end += Math.ceil(bytes / 8) * 8 + 8;
      live.set(start, bytes);
      return start;
    },
    _free(start: number): void {
      if (!live.delete(start)) throw new Error(`freed ${start}, which is no block`);
    },
  };
  return { runtime, live };
}

test("large blocks begin at a cache line and lie within the allocator's blocks; every block can be freed", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 30 }), (sizes) => {
      const { runtime, live } = allocator();
      const early = runtime._malloc(2000);
      alignHeap(runtime);
      const starts = sizes.map((bytes) => runtime._malloc(bytes));
      const large = starts.filter((_, index) => sizes[index]! >= 1024);
      expect(large.filter((start) => start % 64 !== 0)).toEqual([]);
      const isWithin = (start: number, size: number) => [...live].some(([block, bytes]) => start >= block && start + size <= block + bytes);
      expect(starts.filter((start, index) => !isWithin(start, sizes[index]!))).toEqual([]);
      for (const start of [early, ...starts]) runtime._free(start);
      expect(live.size).toBe(0);
    }),
    { seed: 1 },
  );
});

test("a refused allocation is refused by the heap too", () => {
  const { runtime } = allocator();
  alignHeap(runtime);
  expect(runtime._malloc(2 ** 21)).toBe(0);
});
