/** The bytes of a stream whose length nobody vouches for: never more than a limit is held. */

export interface BoundedBytes {
  bytes: Uint8Array<ArrayBuffer>;
  /** True when the stream had more than the limit; `bytes` are its beginning. */
  truncated: boolean;
}

/** Reads a stream to its end or to `limit` bytes, where the rest is cancelled. Holds the bytes twice while they are joined. */
export async function readAtMost(stream: ReadableStream<Uint8Array> | null, limit: number): Promise<BoundedBytes> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  let truncated = false;
  for await (const chunk of stream ?? []) {
    const taken = chunk.subarray(0, limit - size);
    chunks.push(taken);
    size += taken.byteLength;
    truncated = taken.byteLength < chunk.byteLength;
    // Leaving the loop cancels the stream.
    if (truncated) break;
  }
  return { bytes: joined(chunks, size), truncated };
}

function joined(chunks: readonly Uint8Array[], size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}
