/** Writes the wire format of protocol buffers (protobuf.dev/programming-guides/encoding), as far as ONNX files need it. */
import { joined } from "../bytes/joined.ts";

/** Encodes an integer in groups of seven bits, lowest group first. A negative number has ten groups. */
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

const VARINT = 0;
const LENGTH_PREFIXED = 2;
const FIXED32 = 5;
const tag = (field: number, wireType: number) => varint(field * 8 + wireType);

/** Encodes an integer field. */
export const intField = (field: number, value: number | bigint): Uint8Array => joined([tag(field, VARINT), varint(value)]);

/** Encodes the head of a field; `length` bytes of data must follow. */
export const lengthField = (field: number, length: number): Uint8Array => joined([tag(field, LENGTH_PREFIXED), varint(length)]);

/** Encodes bytes, a text or a message as a field. */
export function bytesField(field: number, value: Uint8Array | string): Uint8Array {
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
  return joined([lengthField(field, bytes.byteLength), bytes]);
}

export function floatField(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return joined([tag(field, FIXED32), bytes]);
}
