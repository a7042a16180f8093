/** Reads a stream of unknown length without holding more than a limit. */
import { joined } from "./joined.ts";

export interface BoundedBytes {
  bytes: Uint8Array<ArrayBuffer>;
  /** True when the stream was longer than the limit; `bytes` is then its beginning. */
  truncated: boolean;
}

/** Reads at most `limit` bytes of a stream and ends it. Needs twice the memory while it joins the chunks. */
export async function readAtMost(stream: AsyncIterable<Uint8Array> | null, limit: number): Promise<BoundedBytes> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  let truncated = false;
  for await (const chunk of stream ?? []) {
    const taken = chunk.subarray(0, limit - size);
    chunks.push(taken);
    size += taken.byteLength;
    truncated = taken.byteLength < chunk.byteLength;
    // Leaving the loop ends the stream.
    if (truncated) break;
  }
  return { bytes: joined(chunks), truncated };
}
