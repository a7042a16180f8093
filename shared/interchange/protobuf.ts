/** The wire format of protocol buffers, written (protobuf.dev/programming-guides/encoding): what an ONNX file needs of it. */

/** A whole number in groups of seven bits, the lowest first. Negative numbers have ten groups. */
export function varint(value: number | bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    const low = Number(rest & 127n);
    rest >>= 7n;
    bytes.push(rest === 0n ? low : low | 128);
  } while (rest !== 0n);
  return Uint8Array.from(bytes);
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes;
}

const VARINT = 0;
const LENGTH_PREFIXED = 2;
const FIXED32 = 5;
const tag = (field: number, wireType: number) => varint(field * 8 + wireType);

/** A whole number as a field. */
export const intField = (field: number, value: number | bigint): Uint8Array => joined([tag(field, VARINT), varint(value)]);

/** What stands before a field of so many bytes that follow elsewhere. */
export const lengthField = (field: number, length: number): Uint8Array => joined([tag(field, LENGTH_PREFIXED), varint(length)]);

/** Bytes, a text or a message as a field. */
export function bytesField(field: number, value: Uint8Array | string): Uint8Array {
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
  return joined([lengthField(field, bytes.byteLength), bytes]);
}

export function floatField(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return joined([tag(field, FIXED32), bytes]);
}
