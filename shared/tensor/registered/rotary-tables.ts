/**
 * Cosines and sines of positions in wasm memory: one table per (width, theta), which begins at position 0 and grows by doubling,
 * so that every length and offset reads from the same table. tfjs does not count them as tensors.
 */
import type { KernelContext } from "../engine/kernel-context.ts";
import type { Pointer } from "../engine/wasm-runtime.ts";

/** A model has one table; four allow several models in an isolate. The oldest table is dropped first. */
const MAX_TABLES = 4;
const MIN_POSITIONS = 64;

interface Table {
  start: Pointer;
  positions: number;
}

/** The row of position 0 in a table of at least that many positions, until the next call. */
export type RotaryTables = (width: number, theta: number, positions: number) => Pointer;

export function rotaryTables({ allocate, free, write }: KernelContext): RotaryTables {
  const tables = new Map<string, Table>();

  function drop(key: string): void {
    const table = tables.get(key);
    if (table === undefined) return;
    free(table.start);
    tables.delete(key);
  }

  return (width, theta, positions) => {
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
  };
}

/** [positions][cos width/2, sin width/2]; angles are rounded to float32 first, as reference.ts and Hugging Face do */
function rotaryTable(width: number, theta: number, positions: number): Float32Array {
  const half = width / 2;
  return Float32Array.from({ length: positions * width }, (_, index) => {
    const column = index % width;
    const angle = Math.fround(Math.floor(index / width) * theta ** (-(column % half) / half));
    return column < half ? Math.cos(angle) : Math.sin(angle);
  });
}
