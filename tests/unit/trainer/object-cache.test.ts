import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { sha256 } from "../../../shared/store.ts";
import { CoordinatorObjects } from "../../../workers/trainer/object-source.ts";
import { ObjectCache } from "../../../workers/trainer/object-cache.ts";
import { readInto } from "../../../shared/bytes/read-into.ts";

function streamOf(bytes: Uint8Array, chunk: number): ReadableStream {
  let at = 0;
  return new ReadableStream({
    type: "bytes",
    pull(controller) {
      if (at >= bytes.length) {
        controller.close();
        // Only this call answers a pending read of bytes.
        controller.byobRequest?.respond(0);
        return;
      }
      controller.enqueue(bytes.slice(at, at + chunk));
      at += chunk;
    },
  });
}

const bytesOf = (size: number, seed: number) => Uint8Array.from({ length: size }, (_, index) => (index * 31 + seed) % 251);

test("a whole stream is read into a buffer that fits or grows", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(300_000), fc.integer({ min: 1, max: 70_000 }), fc.nat(200_000), async (size, chunk, room) => {
      const bytes = bytesOf(size, chunk);
      // The chunks are large, so there are few and the test is fast.
      const got = await readInto(streamOf(bytes, Math.max(chunk, 1000)), new ArrayBuffer(room));
      expect(Buffer.from(got).equals(Buffer.from(bytes))).toBe(true);
    }),
    { seed: 1, numRuns: 40 },
  );
});

/** A stream that ends in an error after some bytes. */
function broken(): ReadableStream {
  let sent = false;
  return new ReadableStream({
    type: "bytes",
    pull(controller) {
      if (sent) controller.error(new Error("connection lost"));
      else controller.enqueue(bytesOf(1000, 1));
      sent = true;
    },
  });
}

/** A coordinator with three objects that counts reads. Its first answers are `faults`. */
async function coordinator(objects: readonly Uint8Array[], faults: ReadableStream[] = []) {
  const reads: string[] = [];
  const byHash = new Map<string, Uint8Array>();
  for (const bytes of objects) byHash.set(await sha256(bytes as Uint8Array<ArrayBuffer>), bytes);
  const binding = {
    readObject: async (_: string, hash: string) => {
      reads.push(hash);
      return faults.shift() ?? streamOf(byHash.get(hash) ?? bytesOf(10, 9), 50_000);
    },
    writePart: async (_: string, bytes: Uint8Array<ArrayBuffer> | ReadableStream) =>
      sha256(bytes instanceof Uint8Array ? bytes : new Uint8Array(await new Response(bytes).arrayBuffer())),
  };
  return { reads, hashes: [...byHash.keys()], cache: new ObjectCache(new CoordinatorObjects(binding as never)) };
}

const PARTS = [bytesOf(100_000, 1), bytesOf(200_000, 2), bytesOf(50_000, 3)];

describe("the object cache", () => {
  test("keeps the read and the written parts of a model that fits", async () => {
    const { reads, hashes, cache } = await coordinator(PARTS);
    cache.limit(1e6, 350_000);
    for (const hash of [...hashes, ...hashes]) await cache.readPart(hash, "run");
    expect(reads).toEqual(hashes);
    const written = bytesOf(1000, 7);
    const hash = await cache.writePart(written, "run");
    expect(await cache.readPart(hash, "run")).toEqual(written);
    expect(reads).toEqual(hashes);
  });

  test("passes the parts of a model that does not fit through one buffer", async () => {
    const { reads, hashes, cache } = await coordinator(PARTS);
    cache.limit(300_000, 350_000);
    const sizes: number[] = [];
    for (const [index, hash] of [...hashes, ...hashes].entries()) {
      const bytes = await cache.readPart(hash, "run");
      expect(Buffer.from(bytes).equals(Buffer.from(PARTS[index % 3]!))).toBe(true);
      sizes.push(bytes.buffer.byteLength);
    }
    expect(reads).toEqual([...hashes, ...hashes]);
    expect(new Set(sizes).size).toBe(1);
    // The part is a view on the shared buffer. Only the bytes of the view are streamed.
    const part = new Uint8Array(cache.room(5000), 0, 5000).fill(4);
    expect(await cache.writePart(part, "run")).toBe(await sha256(new Uint8Array(5000).fill(4)));
  });

  test("refuses bytes with another hash", async () => {
    const { cache } = await coordinator(PARTS);
    const wrong = "0".repeat(64);
    await expect(cache.readPart(wrong, "run")).rejects.toThrow(`part ${wrong}: expected this hash, got`);
    await expect(cache.read("dataset", wrong)).rejects.toThrow(`dataset ${wrong}: expected this hash, got`);
  });

  test("continues after a broken stream and after bytes with another hash", async () => {
    const { hashes, cache } = await coordinator(PARTS, [broken(), streamOf(bytesOf(10, 9), 10)]);
    cache.limit(300_000, 350_000);
    await expect(cache.readPart(hashes[0]!, "run")).rejects.toThrow("connection lost");
    await expect(cache.readPart(hashes[0]!, "run")).rejects.toThrow("expected this hash");
    for (const [index, hash] of hashes.entries()) {
      expect(Buffer.from(await cache.readPart(hash, "run")).equals(Buffer.from(PARTS[index]!))).toBe(true);
    }
    expect(cache.room(5000).byteLength).toBeGreaterThanOrEqual(5000);
  });
});
