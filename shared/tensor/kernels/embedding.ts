/** The gradient of an embedding: rows added up by id. */

/** out [rows, width] = sum of values [count, width] over equal ids [count]; ids outside 0..rows-1 are dropped. */
export function scatterAddRows(values: usize, ids: usize, out: usize, count: i32, width: i32, rows: i32): void {
  memory.fill(out, 0, (<usize>rows * width) << 2);
  for (let i = 0; i < count; i++) {
    const id = load<i32>(ids + (<usize>i << 2));
    if (id < 0 || id >= rows) continue;
    const source = values + ((<usize>i * width) << 2);
    const target = out + ((<usize>id * width) << 2);
    for (let j: usize = 0; j < <usize>width; j++) {
      store<f32>(target + (j << 2), load<f32>(target + (j << 2)) + load<f32>(source + (j << 2)));
    }
  }
}
