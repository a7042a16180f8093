/**
 * Cosines and sines of positions, kept in wasm memory: one table per (width, theta) that begins at position 0 and grows by
 * doubling, so that every length and offset reads from the same one. They are not tensors, so tfjs's tensor count does not
 * know them.
 */
import type { KernelContext } from "../engine/kernel-context.ts";

/** A model has one table; a few allow several models in one isolate. The oldest goes first. */
const MAX_TABLES = 4;
const MIN_POSITIONS = 64;

interface Table {
  start: number;
  positions: number;
}

/** Where the row of position 0 lies in a table of at least that many positions, until the next call. */
export type RotaryTables = (width: number, theta: number, positions: number) => number;

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

/** [positions][cos width/2, sin width/2]; angles are rounded to float32 first, as the plain op and Hugging Face do */
function rotaryTable(width: number, theta: number, positions: number): Float32Array {
  const half = width / 2;
  return Float32Array.from({ length: positions * width }, (_, index) => {
    const column = index % width;
    const angle = Math.fround(Math.floor(index / width) * theta ** (-(column % half) / half));
    return column < half ? Math.cos(angle) : Math.sin(angle);
  });
}
