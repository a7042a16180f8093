/** The format of a token shard: tokens as little-endian uint16, without a header. */

/** At most 4 MB per shard, so that it fits into every message and cache. */
export const MAX_SHARD_TOKENS = 2_000_000;

export function encodeTokenShard(tokens: ArrayLike<number>): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(tokens.length * 2);
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < tokens.length; index++) view.setUint16(index * 2, tokens[index]!, true);
  return bytes;
}

export function decodeTokenShard(bytes: Uint8Array): Uint16Array {
  if (bytes.byteLength % 2 !== 0) throw new Error(`token shard: expected an even number of bytes, got ${bytes.byteLength}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Uint16Array.from({ length: bytes.byteLength / 2 }, (_, index) => view.getUint16(index * 2, true));
}
