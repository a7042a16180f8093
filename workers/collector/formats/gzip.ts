/**
 * Unpacks gzip while it arrives, also a file of several members (RFC 1952, section 2.2), as WARC files are. The platform's
 * DecompressionStream refuses a second member.
 */
import { Gunzip } from "fflate";

/** Input is unpacked in pieces of this size. Deflate grows at most 1,032 times, so a piece unpacks to at most 17 MB. */
const PIECE = 16 * 1024;

export const isGzip = (bytes: Uint8Array) => bytes[0] === 0x1f && bytes[1] === 0x8b;

export async function* gunzipChunks(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const ready: Uint8Array[] = [];
  const gunzip = new Gunzip((part) => {
    // A member may be empty.
    if (part.length > 0) ready.push(part);
  });
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += PIECE) {
      // fflate may keep the bytes, so they are copied: a platform may reuse the chunk.
      gunzip.push(chunk.slice(at, at + PIECE));
      yield* ready.splice(0);
    }
  }
  gunzip.push(new Uint8Array(), true);
  yield* ready.splice(0);
}
