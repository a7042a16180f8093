/**
 * Reads the header of an imported GGUF file: metadata and the positions of the tensors. The reader parses a window at a time and
 * limits every count and length. A false size is refused before memory of that size is allocated.
 */
import type { ByteSource, StoredTensor } from "./byte-source.ts";
import { GGML_TYPES, GGUF_ALIGNMENT, GGUF_MAGIC, GGUF_VERSION, VALUE_TYPES } from "./gguf-format.ts";
import { bytesOfType, NUMBER_TYPES, type NumberType } from "./number-types.ts";

export type GgufValue = number | boolean | string | GgufValue[];
export type GgufTensor = StoredTensor<NumberType>;

/** Far above real headers: 65,536 tokens with their merges take 3 MB, and 64 layers have 707 tensors. */
const MAX_HEADER_BYTES = 32 * 1024 * 1024;
const MAX_PAIRS = 1024;
const MAX_TENSORS = 4096;
const MAX_ITEMS = 262_144;
const MAX_STRING_BYTES = 1024 * 1024;
/** The format allows 65,535 bytes. Known keys have fewer than 100, and error messages contain the key. */
const MAX_KEY_BYTES = 256;
const MAX_NAME_BYTES = 64;
const MAX_AXES = 4;
const WINDOW_BYTES = 256 * 1024;

const TYPE_NAMES = new Map(Object.entries(GGML_TYPES).map(([name, number]) => [number, name as NumberType]));

/** Reads little-endian fields in sequence. */
class FieldReader {
  readonly #source: ByteSource;
  #window: Uint8Array = new Uint8Array();
  #view = new DataView(this.#window.buffer);
  /** File positions: start of the window, then the next field. */
  #start = 0;
  position = 0;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** Loads the next `bytes` bytes into the window and returns their offset in the window. */
  async #take(bytes: number): Promise<number> {
    const { name, size } = this.#source;
    const end = this.position + bytes;
    if (end > Math.min(size, MAX_HEADER_BYTES))
      throw new Error(`${name}: expected the header to end within ${Math.min(size, MAX_HEADER_BYTES)} bytes, got a longer header`);
    if (this.position < this.#start || end > this.#start + this.#window.byteLength) {
      this.#window = await this.#source.read(this.position, Math.min(size, Math.max(end, this.position + WINDOW_BYTES)));
      this.#view = new DataView(this.#window.buffer, this.#window.byteOffset, this.#window.byteLength);
      this.#start = this.position;
    }
    this.position = end;
    return end - bytes - this.#start;
  }

  async uint32(): Promise<number> {
    const at = await this.#take(4);
    return this.#view.getUint32(at, true);
  }

  /** Reads a count or a length. Throws if it is above `max`. */
  async count(what: string, max: number): Promise<number> {
    const at = await this.#take(8);
    const value = this.#view.getBigUint64(at, true);
    if (value > BigInt(max)) throw new Error(`${this.#source.name}: ${what}: expected at most ${max}, got ${value}`);
    return Number(value);
  }

  async string(what: string, max: number): Promise<string> {
    const length = await this.count(`${what}: length`, max);
    const at = await this.#take(length);
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(this.#window.subarray(at, at + length));
    } catch (error) {
      throw new Error(`${this.#source.name}: ${what}: expected UTF-8, got other bytes`, { cause: error });
    }
  }

  /** Reads a number or boolean of this type; undefined for other types. */
  async scalar(type: number): Promise<number | boolean | undefined> {
    const bytes = SCALAR_BYTES.get(type);
    if (bytes === undefined) return undefined;
    const at = await this.#take(bytes);
    const view = this.#view;
    switch (type) {
      case VALUE_TYPES.uint8:
        return view.getUint8(at);
      case VALUE_TYPES.int8:
        return view.getInt8(at);
      case VALUE_TYPES.uint16:
        return view.getUint16(at, true);
      case VALUE_TYPES.int16:
        return view.getInt16(at, true);
      case VALUE_TYPES.uint32:
        return view.getUint32(at, true);
      case VALUE_TYPES.int32:
        return view.getInt32(at, true);
      case VALUE_TYPES.float32:
        return view.getFloat32(at, true);
      case VALUE_TYPES.uint64:
        return Number(view.getBigUint64(at, true));
      case VALUE_TYPES.int64:
        return Number(view.getBigInt64(at, true));
      case VALUE_TYPES.float64:
        return view.getFloat64(at, true);
      default:
        return view.getUint8(at) !== 0;
    }
  }
}

const SCALAR_BYTES: ReadonlyMap<number, number> = new Map([
  [VALUE_TYPES.uint8, 1],
  [VALUE_TYPES.int8, 1],
  [VALUE_TYPES.uint16, 2],
  [VALUE_TYPES.int16, 2],
  [VALUE_TYPES.uint32, 4],
  [VALUE_TYPES.int32, 4],
  [VALUE_TYPES.float32, 4],
  [VALUE_TYPES.bool, 1],
  [VALUE_TYPES.uint64, 8],
  [VALUE_TYPES.int64, 8],
  [VALUE_TYPES.float64, 8],
]);

async function readValue(reader: FieldReader, file: string, key: string, type: number): Promise<GgufValue> {
  if (type === VALUE_TYPES.string) return reader.string(key, MAX_STRING_BYTES);
  if (type !== VALUE_TYPES.array) {
    const value = await reader.scalar(type);
    if (value === undefined) throw new Error(`${file}: ${key}: expected a known value type, got ${type}`);
    return value;
  }
  const itemType = await reader.uint32();
  const length = await reader.count(`${key}: items`, MAX_ITEMS);
  // The format allows arrays of arrays, but no key that we read has an array of arrays.
  if (itemType === VALUE_TYPES.array) throw new Error(`${file}: ${key}: expected an array of plain values, got an array of arrays`);
  const items: GgufValue[] = [];
  for (let index = 0; index < length; index++) items.push(await readValue(reader, file, key, itemType));
  return items;
}

async function readMetadata(reader: FieldReader, file: string, pairs: number): Promise<Map<string, GgufValue>> {
  const metadata = new Map<string, GgufValue>();
  for (let pair = 0; pair < pairs; pair++) {
    const key = await reader.string("key", MAX_KEY_BYTES);
    if (metadata.has(key)) throw new Error(`${file}: ${key}: expected each key once, got it twice`);
    metadata.set(key, await readValue(reader, file, key, await reader.uint32()));
  }
  return metadata;
}

function alignmentOf(file: string, metadata: ReadonlyMap<string, GgufValue>): number {
  const alignment = metadata.get("general.alignment") ?? GGUF_ALIGNMENT;
  if (typeof alignment === "number" && alignment >= 8 && alignment <= 65_536 && alignment % 8 === 0) return alignment;
  throw new Error(`${file}: general.alignment: expected a multiple of 8 up to 65536, got ${String(alignment)}`);
}

/** Reads metadata and tensors. Throws an error that names the first invalid key or tensor. */
export async function readGguf(source: ByteSource): Promise<{ metadata: Map<string, GgufValue>; tensors: Map<string, GgufTensor> }> {
  const { name: file, size: fileBytes } = source;
  const reader = new FieldReader(source);
  const magic = await reader.uint32();
  if (magic !== GGUF_MAGIC) throw new Error(`${file}: expected the letters GGUF first, got ${magic.toString(16)}`);
  const version = await reader.uint32();
  if (version !== GGUF_VERSION) throw new Error(`${file}: version: expected ${GGUF_VERSION}, got ${version}`);
  const count = await reader.count("tensors", MAX_TENSORS);
  const pairs = await reader.count("metadata", MAX_PAIRS);
  const metadata = await readMetadata(reader, file, pairs);
  const alignment = alignmentOf(file, metadata);
  const infos: { name: string; shape: number[]; type: NumberType; offset: number; size: number }[] = [];
  for (let index = 0; index < count; index++) {
    const name = await reader.string("tensor", MAX_NAME_BYTES);
    const axes = await reader.uint32();
    if (axes > MAX_AXES) throw new Error(`${file}: ${name}: expected at most ${MAX_AXES} axes, got ${axes}`);
    const shape: number[] = [];
    for (let axis = 0; axis < axes; axis++) shape.unshift(await reader.count(`${name}: axis`, fileBytes));
    const number = await reader.uint32();
    const type = TYPE_NAMES.get(number);
    if (type === undefined)
      throw new Error(`${file}: ${name}: expected one of ${Object.keys(GGML_TYPES).join(", ")}, got ggml type ${number}`);
    const values = shape.reduce((product, axis) => product * axis, 1);
    if (!Number.isSafeInteger(values) || (shape.at(-1) ?? 1) % NUMBER_TYPES[type].block !== 0)
      throw new Error(`${file}: ${name}: expected rows of whole blocks of ${type}, got [${shape}]`);
    infos.push({ name, shape, type, offset: await reader.count(`${name}: offset`, fileBytes), size: bytesOfType(type, values) });
  }
  const dataStart = Math.ceil(reader.position / alignment) * alignment;
  const tensors = new Map<string, GgufTensor>();
  let position = 0;
  for (const { name, shape, type, offset, size } of infos.toSorted((a, b) => a.offset - b.offset || a.size - b.size)) {
    if (tensors.has(name)) throw new Error(`${file}: ${name}: expected each tensor once, got it twice`);
    const start = dataStart + offset;
    if (offset % alignment !== 0 || offset < position || start + size > fileBytes)
      throw new Error(
        `${file}: ${name}: expected ${size} bytes inside the file, at a multiple of ${alignment} and not before ${position}, got offset ${offset}`,
      );
    tensors.set(name, { source, type, shape, start, end: start + size });
    position = offset + size;
  }
  return { metadata, tensors };
}
