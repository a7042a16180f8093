/**
 * Reads the rest of a request body that no route has read, for example after a refusal. If the gateway closed the connection
 * while the client was still sending, the client would see a broken connection instead of the answer.
 */

/** More than the largest body that a route takes (8 MB). A client that sends more than this may see a broken connection. */
const MAX_DRAINED_BYTES = 20 * 1024 * 1024;
const MAX_DRAIN_MS = 10_000;

/** Ends when the body ends or breaks off, after MAX_DRAINED_BYTES, or after MAX_DRAIN_MS. */
export async function drain(body: ReadableStream<Uint8Array> | null): Promise<void> {
  if (body === null || body.locked) return;
  let left = MAX_DRAINED_BYTES;
  const sink = new WritableStream<Uint8Array>({
    write(chunk, controller) {
      left -= chunk.length;
      if (left < 0) controller.error(new Error("enough was read"));
    },
  });
  // The answer is decided, so it does not matter how the reading ends.
  await body.pipeTo(sink, { signal: AbortSignal.timeout(MAX_DRAIN_MS) }).catch(() => undefined);
}
