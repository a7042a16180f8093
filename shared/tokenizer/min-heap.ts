/** A binary heap of numbers that returns the smallest number first. */
export class MinHeap {
  readonly #items: number[] = [];

  push(item: number): void {
    let index = this.#items.length;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (this.#items[parent]! <= item) break;
      this.#items[index] = this.#items[parent]!;
      index = parent;
    }
    this.#items[index] = item;
  }

  /** Removes and returns the smallest item; undefined if the heap is empty. */
  pop(): number | undefined {
    const least = this.#items[0];
    const last = this.#items.pop();
    if (last !== undefined && this.#items.length > 0) this.#sink(last);
    return least;
  }

  /** Inserts an item at the root, whose old item was removed. */
  #sink(item: number): void {
    const size = this.#items.length;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= size) break;
      if (child + 1 < size && this.#items[child + 1]! < this.#items[child]!) child++;
      if (item <= this.#items[child]!) break;
      this.#items[index] = this.#items[child]!;
      index = child;
    }
    this.#items[index] = item;
  }
}
