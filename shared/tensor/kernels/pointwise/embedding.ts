/** Embedding: gathers rows by id. Its gradient adds rows by id. */

/**
 * @query The index of the first value outside low..high-1 in values [count]; -1 if all are inside. Ids are used as addresses, so
 * they are checked first.
 */
export function firstOutside(values: usize, count: i32, low: i32, high: i32): i32 {
  for (let i = 0; i < count; i++) {
    const value = load<i32>(values + (<usize>i << 2));
    if (value < low || value >= high) return i;
  }
  return -1;
}

/** out [count, width] = the rows of weight [rows, width] at ids [count]. The caller must check the ids. */
export function gatherRows(weight: usize, ids: usize, out: usize, count: i32, width: i32): void {
  const bytes = <usize>width << 2;
  for (let i = 0; i < count; i++) {
    memory.copy(out, weight + <usize>load<i32>(ids + (<usize>i << 2)) * bytes, bytes);
    out += bytes;
  }
}

/** out [rows, width] = values [count, width] added up by id [count], in the order of `values`. Ignores ids outside 0..rows-1. */
export function scatterAddRows(values: usize, ids: usize, out: usize, count: i32, width: i32, rows: i32): void {
  memory.fill(out, 0, (<usize>rows * width) << 2);
  const vectors = width & ~3;
  for (let i = 0; i < count; i++) {
    const id = load<i32>(ids + (<usize>i << 2));
    if (id < 0 || id >= rows) continue;
    const source = values + ((<usize>i * width) << 2);
    const target = out + ((<usize>id * width) << 2);
    let j = 0;
    for (; j < vectors; j += 4) {
      const at = <usize>j << 2;
      v128.store(target + at, f32x4.add(v128.load(target + at), v128.load(source + at)));
    }
    for (; j < width; j++) {
      const at = <usize>j << 2;
      store<f32>(target + at, load<f32>(target + at) + load<f32>(source + at));
    }
  }
}
