/** Streams of unknown length are read up to a limit and no further. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { readAtMost } from "../../../shared/bytes/bounded.ts";

/** A stream of chunks that counts the requested chunks. */
function counted(chunks: readonly Uint8Array[]) {
  const seen = { pulls: 0, isCancelled: false };
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const chunk = chunks[seen.pulls++];
        if (chunk === undefined) controller.close();
        else controller.enqueue(chunk);
      },
      cancel() {
        seen.isCancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { stream, seen };
}

test("a stream within the limit is read whole; of a longer stream the beginning is returned", async () => {
  const sizes = fc.array(fc.nat(50), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(sizes, fc.nat(300), async (lengths, limit) => {
      let next = 0;
      const chunks = lengths.map((length) => Uint8Array.from({ length }, () => next++ % 256));
      const all = new Uint8Array(chunks.flatMap((chunk) => [...chunk]));
      const { bytes, truncated } = await readAtMost(counted(chunks).stream, limit);
      expect(bytes).toEqual(all.subarray(0, limit));
      expect(truncated).toBe(all.byteLength > limit);
    }),
    { seed: 1, numRuns: 200 },
  );
});

test("a stream longer than the limit is cancelled at once", async () => {
  const { stream, seen } = counted(Array.from({ length: 100 }, () => new Uint8Array(10)));
  expect(await readAtMost(stream, 25)).toMatchObject({ truncated: true });
  expect(seen).toEqual({ pulls: 3, isCancelled: true });
});

test("an absent body is empty", async () => {
  expect(await readAtMost(null, 10)).toEqual({ bytes: new Uint8Array(0), truncated: false });
});
