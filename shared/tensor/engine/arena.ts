/**
 * The memory of a scope of buffers (buffer.ts).
 *
 * tfjs's allocator writes its bookkeeping into freed blocks. Recorded commands (command-buffer.ts) may still use a freed block,
 * so a scope must not return blocks to tfjs before its commands have run. The arena therefore keeps its bookkeeping in
 * JavaScript and reuses freed blocks, best fit first. If no free block fits, the arena takes a segment from tfjs's allocator.
 * Segments return to tfjs when the scope ends.
 */

const LINE_BYTES = 64;

/** Allocates the buffers of a scope. */
export interface ScopeMemory {
  allocate(bytes: number): number;
  /** Frees a block. Does nothing if no live block begins at `start`. */
  free(start: number): void;
  /** True if a live block begins at `start`. */
  has(start: number): boolean;
  /** Returns unused memory to tfjs's allocator. */
  trim(): void;
  /** Returns all memory to tfjs's allocator. */
  close(): void;
}

/**
 * Allocates each block directly with tfjs's allocator, whose free() flushes the commands first. Tests and benches compare the
 * arena with this class.
 */
export class PlainMemory implements ScopeMemory {
  readonly #allocate: (bytes: number) => number;
  readonly #free: (start: number) => void;
  readonly #blocks = new Set<number>();

  constructor(allocate: (bytes: number) => number, free: (start: number) => void) {
    this.#allocate = allocate;
    this.#free = free;
  }

  allocate(bytes: number): number {
    const start = this.#allocate(Math.max(1, bytes));
    this.#blocks.add(start);
    return start;
  }

  free(start: number): void {
    if (this.#blocks.delete(start)) this.#free(start);
  }

  has(start: number): boolean {
    return this.#blocks.has(start);
  }

  trim(): void {
    // `free` has already returned all freed blocks.
  }

  close(): void {
    for (const start of this.#blocks) this.#free(start);
    this.#blocks.clear();
  }
}

interface Range {
  start: number;
  end: number;
}

export class Arena implements ScopeMemory {
  readonly #allocate: (bytes: number) => number;
  readonly #free: (start: number) => void;
  /** Segments from tfjs's allocator: start to end. A free range never crosses the border of two segments. */
  readonly #segments = new Map<number, number>();
  /** Free ranges, sorted by address. Neighbours within a segment are merged. */
  readonly #ranges: Range[] = [];
  /** Live blocks: start to end. */
  readonly #blocks = new Map<number, number>();

  constructor(allocate: (bytes: number) => number, free: (start: number) => void) {
    this.#allocate = allocate;
    this.#free = free;
  }

  allocate(bytes: number): number {
    const size = Math.max(1, Math.ceil(bytes / LINE_BYTES)) * LINE_BYTES;
    let best = -1;
    let least = Infinity;
    for (let index = 0; index < this.#ranges.length; index++) {
      const room = this.#ranges[index]!.end - this.#ranges[index]!.start;
      if (room < size || room >= least) continue;
      best = index;
      least = room;
    }
    if (best < 0) {
      // One extra line. Otherwise buffers of equal size can be a multiple of 4,096 bytes apart. Such buffers evict each other
      // from the first-level cache.
      const start = this.#allocate(size + LINE_BYTES);
      const end = start + size;
      this.#segments.set(start, end + LINE_BYTES);
      this.#blocks.set(start, end);
      this.#add(end, end + LINE_BYTES);
      return start;
    }
    const range = this.#ranges[best]!;
    const { start } = range;
    range.start += size;
    if (range.start === range.end) this.#ranges.splice(best, 1);
    this.#blocks.set(start, start + size);
    return start;
  }

  free(start: number): void {
    const end = this.#blocks.get(start);
    if (end === undefined) return;
    this.#blocks.delete(start);
    this.#add(start, end);
  }

  /** Adds a free range and merges it with its neighbours. */
  #add(start: number, end: number): void {
    let index = 0;
    while (index < this.#ranges.length && this.#ranges[index]!.start < start) index++;
    const [before, after] = [this.#ranges[index - 1], this.#ranges[index]];
    const joinsBefore = before !== undefined && before.end === start && !this.#segments.has(start);
    const joinsAfter = after !== undefined && after.start === end && !this.#segments.has(end);
    if (joinsBefore && joinsAfter) {
      before.end = after.end;
      this.#ranges.splice(index, 1);
    } else if (joinsBefore) before.end = end;
    else if (joinsAfter) after.start = start;
    else this.#ranges.splice(index, 0, { start, end });
  }

  has(start: number): boolean {
    return this.#blocks.has(start);
  }

  /** Returns segments that are completely free. */
  trim(): void {
    for (let index = this.#ranges.length - 1; index >= 0; index--) {
      const { start, end } = this.#ranges[index]!;
      if (this.#segments.get(start) !== end) continue;
      this.#ranges.splice(index, 1);
      this.#segments.delete(start);
      this.#free(start);
    }
  }

  close(): void {
    for (const start of this.#segments.keys()) this.#free(start);
    this.#segments.clear();
    this.#ranges.length = 0;
    this.#blocks.clear();
  }
}
