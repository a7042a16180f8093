/**
 * Memory of one scope of the heap (heap-array.ts). Its books are kept in JavaScript: tfjs's allocator keeps its own in the
 * blocks that are free, where kernels that wait (waiting-calls.ts) may have yet to read and write. What the scope frees it
 * hands out again, best fit first; what does not fit comes from that allocator and goes back when the scope ends.
 */

const LINE_BYTES = 64;

interface Range {
  start: number;
  end: number;
}

export class Arena {
  readonly #allocate: (bytes: number) => number;
  readonly #free: (start: number) => void;
  /** What tfjs's allocator gave: where each ends, by its start. No range reaches from one into the next. */
  readonly #segments = new Map<number, number>();
  /** What is free, by address; neighbours of one segment are one range. */
  readonly #ranges: Range[] = [];
  /** Where each block ends, by its start. */
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
      // A line more than asked for: arrays of equal size would else lie a multiple of 4,096 bytes apart, and be in each other's
      // way in the first-level cache.
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

  /** Takes a block back; one that it does not have (any more) is left alone. */
  free(start: number): void {
    const end = this.#blocks.get(start);
    if (end === undefined) return;
    this.#blocks.delete(start);
    this.#add(start, end);
  }

  /** Adds to what is free. */
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

  /** Whether it has handed out that block and not taken it back. */
  has(start: number): boolean {
    return this.#blocks.has(start);
  }

  /** Gives back what came as one and is free as one. */
  trim(): void {
    for (let index = this.#ranges.length - 1; index >= 0; index--) {
      const { start, end } = this.#ranges[index]!;
      if (this.#segments.get(start) !== end) continue;
      this.#ranges.splice(index, 1);
      this.#segments.delete(start);
      this.#free(start);
    }
  }

  /** Gives everything back. */
  close(): void {
    for (const start of this.#segments.keys()) this.#free(start);
    this.#segments.clear();
    this.#ranges.length = 0;
    this.#blocks.clear();
  }
}
