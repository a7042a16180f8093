/**
 * Rotary positions; see kernels/rotary.ts. Cosines and sines are kept in wasm memory, one table per (width, theta) that
 * begins at position 0 and grows by doubling: every length and offset reads from the same one. They are not tensors, so
 * tfjs's tensor count does not know them.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { KernelContext } from "../kernel-context.ts";

/** A model has one table; a few allow several models in one isolate. The oldest goes first. */
const MAX_TABLES = 4;
const MIN_POSITIONS = 64;

interface Table {
  start: number;
  positions: number;
}

export function registerRotary({ kernels, offset, allocate, free, write, register }: KernelContext): void {
  const tables = new Map<string, Table>();

  /** Where the row of position 0 lies in a table of at least that many positions. */
  function tableFor(width: number, theta: number, positions: number): number {
    const key = `${width}/${theta}`;
    const known = tables.get(key);
    if (known !== undefined && known.positions >= positions) return known.start;
    if (known === undefined && tables.size >= MAX_TABLES) drop(tables.keys().next().value!);
    drop(key);
    let size = MIN_POSITIONS;
    while (size < positions) size *= 2;
    const table = { start: allocate(size * width * 4), positions: size };
    write(table.start, rotaryTable(width, theta, size));
    tables.set(key, table);
    return table.start;
  }

  function drop(key: string): void {
    const table = tables.get(key);
    if (table === undefined) return;
    free(table.start);
    tables.delete(key);
  }

  function rotate(x: tf.TensorInfo, out: tf.TensorInfo, attrs: unknown): void {
    const { theta, first, inverse } = attrs as { theta: number; first: number; inverse: boolean };
    const [batch, length, heads, width] = x.shape as [number, number, number, number];
    const table = tableFor(width, theta, first + length) + first * width * 4;
    kernels.rotary(offset(x), offset(out), table, batch, length, heads, width, inverse ? -1 : 1);
  }

  register("Rotary", ({ inputs, attrs, output }) => {
    const { x } = inputs as { x: tf.TensorInfo };
    const out = output(x.shape);
    rotate(x, out, attrs);
    return out;
  });
  register("RotaryInPlace", ({ inputs, attrs }) => {
    const { x } = inputs as { x: tf.TensorInfo };
    rotate(x, x, attrs);
    return [];
  });
}

/** [positions][cos width/2, sin width/2]; angles are rounded to float32 first, as the plain op and Hugging Face do */
function rotaryTable(width: number, theta: number, positions: number): Float32Array {
  const half = width / 2;
  return Float32Array.from({ length: positions * width }, (_, index) => {
    const column = index % width;
    const angle = Math.fround(Math.floor(index / width) * theta ** (-(column % half) / half));
    return column < half ? Math.cos(angle) : Math.sin(angle);
  });
}
