/** The arena: blocks that it allocates and frees, and segments that it returns to the allocator. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Arena } from "../../../../shared/tensor/engine/arena.ts";

/** An allocator whose blocks touch each other, unlike in a real allocator. `segments` maps their starts to their ends. */
function allocator() {
  const segments = new Map<number, number>();
  let end = 64;
  const arena = new Arena(
    (bytes) => {
      const start = end;
      end += bytes;
      segments.set(start, end);
      return start;
    },
    (start) => {
      if (!segments.delete(start)) throw new Error(`freed ${start}, which is no block`);
    },
  );
  return { arena, segments };
}

const operations = fc.array(fc.record({ bytes: fc.integer({ min: 0, max: 2000 }), free: fc.option(fc.nat(), { freq: 2 }) }), {
  maxLength: 60,
});

test("blocks are aligned, do not overlap and lie within a segment; each segment is returned once", () => {
  fc.assert(
    fc.property(operations, (steps) => {
      const { arena, segments } = allocator();
      const live: { start: number; end: number }[] = [];
      for (const { bytes, free } of steps) {
        if (free !== null && live.length > 0) {
          arena.free(live.splice(free % live.length, 1)[0]!.start);
          continue;
        }
        const start = arena.allocate(bytes);
        const block = { start, end: start + bytes };
        expect(start % 64).toBe(0);
        expect(live.filter((other) => other.start < block.end && block.start < other.end)).toEqual([]);
        expect(live.map((other) => other.start)).not.toContain(start);
        expect([...segments].some(([from, to]) => from <= start && block.end <= to)).toBe(true);
        live.push(block);
      }
      arena.close();
      expect(segments.size).toBe(0);
      // Freeing a block after the arena has closed does nothing.
      for (const { start } of live) arena.free(start);
    }),
    { seed: 1 },
  );
});

test("free ranges are used before a new segment: the best fit, with free neighbours in a segment merged", () => {
  const { arena, segments } = allocator();
  const [large, gap, small] = [arena.allocate(640), arena.allocate(192), arena.allocate(128)];
  arena.free(large);
  arena.free(small);
  expect(arena.allocate(100)).toBe(small);
  const parts = [arena.allocate(320), arena.allocate(256)];
  expect(parts).toEqual([large, large + 320]);
  arena.free(parts[1]!);
  arena.free(parts[0]!);
  arena.free(gap);
  expect(arena.allocate(640)).toBe(large);
  expect(segments.size).toBe(3);
});

test("the distance between buffers of whole pages is not a multiple of a page", () => {
  const { arena } = allocator();
  const [first, second, third] = [arena.allocate(8192), arena.allocate(8192), arena.allocate(8192)];
  for (const distance of [second - first, third - second, third - first]) expect(distance % 4096).not.toBe(0);
});

test("trimming returns only segments that are entirely free", () => {
  const { arena, segments } = allocator();
  const [whole, kept] = [arena.allocate(640), arena.allocate(128)];
  arena.free(whole);
  const part = arena.allocate(128);
  arena.trim();
  expect([...segments.keys()]).toEqual([whole, kept]);
  arena.free(part);
  arena.trim();
  expect([...segments.keys()]).toEqual([kept]);
  arena.close();
  expect(segments.size).toBe(0);
});
