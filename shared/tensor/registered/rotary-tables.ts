/**
 * Cosines and sines of positions in wasm memory. Each (width, theta) has one table, which begins at position 0 and doubles when
 * it is too short. All lengths and offsets share the table. tfjs does not count tables as tensors.
 */
import type { KernelContext } from "../engine/kernel-context.ts";
import type { Pointer } from "../engine/wasm-runtime.ts";

/** A model needs one table. Four tables allow several models per isolate. The oldest table is dropped first. */
const MAX_TABLES = 4;
const MIN_POSITIONS = 64;

interface Table {
  start: Pointer;
  positions: number;
}

/** Returns the row of position 0 in a table of at least `positions` rows. The address is valid until the next call. */
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

/** [positions][cos width/2, sin width/2]. Angles are rounded to float32 first, as in reference.ts and in Hugging Face. */
function rotaryTable(width: number, theta: number, positions: number): Float32Array {
  const half = width / 2;
  return Float32Array.from({ length: positions * width }, (_, index) => {
    const column = index % width;
    const angle = Math.fround(Math.floor(index / width) * theta ** (-(column % half) / half));
    return column < half ? Math.cos(angle) : Math.sin(angle);
  });
}
