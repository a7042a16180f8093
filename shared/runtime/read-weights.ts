/**
 * Reads weights from a stream of safetensors with float32 or bfloat16. Each chunk goes directly to its place in wasm memory, so
 * memory holds the weights only once.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { ModelConfig } from "../config.ts";
import { headerLength, LENGTH_BYTES, readEntries } from "../model/formats/safetensors-header.ts";
import { weightShapes, type Weights } from "../model/weights.ts";
import { unwrittenTensor, valuesInPlace } from "../tensor/engine/values.ts";

const FILE = "model.safetensors";
/** Far above real headers: a model with 64 layers has 100 KB. */
const MAX_HEADER_BYTES = 4 * 1024 * 1024;
const WIDTHS = { F32: 4, BF16: 2 } as const;

/** `total` is 0 if the server does not state the size. */
export type OnProgress = (done: number, total: number) => void;

/** The caller disposes the tensors. Throws an error that names the unexpected tensor, after disposing all tensors. */
export async function readWeights(
  config: ModelConfig,
  stream: ReadableStream<Uint8Array>,
  size: number | null,
  onProgress: OnProgress,
): Promise<Weights> {
  const bytes = new Chunks(stream, (done) => onProgress(done, size ?? 0));
  const headerBytes = headerLength(FILE, await bytes.read(LENGTH_BYTES), MAX_HEADER_BYTES);
  const entries = readEntries(FILE, await bytes.read(headerBytes), size === null ? null : size - LENGTH_BYTES - headerBytes, WIDTHS);
  const shapes = new Map(weightShapes(config));
  const weights: Weights = {};
  try {
    for (const { name, dtype, shape, begin, end } of entries) {
      const expected = shapes.get(name);
      if (expected?.join() !== shape.join())
        throw new Error(`${FILE}: ${name}: expected [${expected ?? "no such tensor"}], got [${shape}]`);
      const tensor = unwrittenTensor(shape);
      weights[name] = tensor;
      if (dtype === "BF16") widen(await bytes.read(end - begin), tensor);
      else await bytes.readInto(end - begin, () => bytesInPlace(tensor));
    }
    if (!(await bytes.isAtEnd())) throw new Error(`${FILE}: expected its end after the tensors, got more bytes`);
    const missing = [...shapes.keys()].find((name) => weights[name] === undefined);
    if (missing !== undefined) throw new Error(`${FILE}: ${missing}: expected a tensor, found none`);
    for (const [name, tensor] of Object.entries(weights)) checkFinite(name, valuesInPlace(tensor));
    return weights;
  } catch (error) {
    tf.dispose(weights);
    throw error;
  } finally {
    await bytes.cancel();
  }
}

function bytesInPlace(tensor: tf.Tensor): Uint8Array {
  const { buffer, byteOffset, byteLength } = valuesInPlace(tensor);
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** bfloat16 is the upper half of a float32. */
function widen(bytes: Uint8Array, tensor: tf.Tensor): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { buffer, byteOffset, length } = valuesInPlace(tensor);
  const words = new Uint32Array(buffer, byteOffset, length);
  for (let at = 0; at < length; at++) words[at] = view.getUint16(2 * at, true) << 16;
}

function checkFinite(name: string, values: Float32Array): void {
  for (let at = 0; at < values.length; at++)
    if (!Number.isFinite(values[at])) throw new Error(`${FILE}: ${name}: expected finite values, got ${values[at]} at ${at}`);
}

/** Reads exact numbers of bytes from a stream of chunks. */
class Chunks {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #onRead: (done: number) => void;
  #rest: Uint8Array = new Uint8Array();
  #done = 0;

  constructor(stream: ReadableStream<Uint8Array>, onRead: (done: number) => void) {
    this.#reader = stream.getReader();
    this.#onRead = onRead;
  }

  async read(size: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(size);
    await this.readInto(size, () => bytes);
    return bytes;
  }

  /** Fills the array that `target` returns. Each chunk asks for the array again, because wasm memory may have moved meanwhile. */
  async readInto(size: number, target: () => Uint8Array): Promise<void> {
    for (let filled = 0; filled < size;) {
      if (this.#rest.length === 0) {
        const { value, done } = await this.#reader.read();
        if (done) throw new Error(`${FILE}: expected ${size - filled} more bytes, got its end after ${this.#done}`);
        this.#rest = value;
        this.#done += value.length;
        this.#onRead(this.#done);
      }
      const taken = this.#rest.subarray(0, size - filled);
      target().set(taken, filled);
      this.#rest = this.#rest.subarray(taken.length);
      filled += taken.length;
    }
  }

  async isAtEnd(): Promise<boolean> {
    while (this.#rest.length === 0) {
      const { value, done } = await this.#reader.read();
      if (done) return true;
      this.#rest = value;
    }
    return false;
  }

  /** Releases the stream, at its end or before. */
  cancel(): Promise<void> {
    return this.#reader.cancel();
  }
}
