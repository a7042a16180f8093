/**
 * An allocator for a wasm memory: it takes the best fit and merges free neighbours. Weights, pages of keys and values and scratch
 * differ in size, so only merged neighbours become large enough for a larger block.
 */

/** The size of a cache line. Kernels are fastest on blocks that start at a cache line. */
const LINE_BYTES = 64;
const PAGE_BYTES = 65_536;
/** The memory grows in steps, because each growth replaces its ArrayBuffer. */
const STEP_PAGES = 16;

interface Range {
  start: number;
  end: number;
}

const upTo = (grain: number, value: number) => Math.ceil(value / grain) * grain;

export class Heap {
  readonly #memory: WebAssembly.Memory;
  /** Free ranges, ordered by address. Neighbours are merged. */
  readonly #free: Range[] = [];
  /** The end of each live block, by its start. */
  readonly #blocks = new Map<number, number>();

  /** Creates a heap that uses the memory from `start` on. */
  constructor(memory: WebAssembly.Memory, start: number) {
    this.#memory = memory;
    this.#add(upTo(LINE_BYTES, start), memory.buffer.byteLength);
  }

  /** Returns the start of a block, or 0 if the memory cannot grow. */
  allocate(bytes: number): number {
    const size = upTo(LINE_BYTES, Math.max(1, bytes));
    const range = this.#bestFit(size) ?? this.#grown(size);
    if (range === null) return 0;
    const { start } = range;
    range.start += size;
    if (range.start === range.end) this.#free.splice(this.#free.indexOf(range), 1);
    this.#blocks.set(start, start + size);
    return start;
  }

  /** Frees a block. Ignores a start that is no live block. */
  free(start: number): void {
    const end = this.#blocks.get(start);
    if (end === undefined) return;
    this.#blocks.delete(start);
    this.#add(start, end);
  }

  #bestFit(size: number): Range | null {
    let best: Range | null = null;
    for (const range of this.#free) {
      const room = range.end - range.start;
      if (room >= size && (best === null || room < best.end - best.start)) best = range;
    }
    return best;
  }

  /** Grows the memory and returns its last free range, which holds `size`. */
  #grown(size: number): Range | null {
    const end = this.#memory.buffer.byteLength;
    const last = this.#free.at(-1);
    const held = last?.end === end ? end - last.start : 0;
    try {
      this.#memory.grow(upTo(STEP_PAGES, Math.ceil((size - held) / PAGE_BYTES)));
    } catch (error) {
      if (error instanceof RangeError) return null;
      throw error;
    }
    this.#add(end, this.#memory.buffer.byteLength);
    return this.#free.at(-1)!;
  }

  #add(start: number, end: number): void {
    let at = 0;
    while (at < this.#free.length && this.#free[at]!.start < start) at++;
    const [before, after] = [this.#free[at - 1], this.#free[at]];
    const range: Range = { start: before?.end === start ? before.start : start, end: after?.start === end ? after.end : end };
    const first = range.start === start ? at : at - 1;
    const merged = at - first + (range.end === end ? 0 : 1);
    this.#free.splice(first, merged, range);
  }
}
