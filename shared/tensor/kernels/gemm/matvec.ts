/**
 * Products with one to three rows, as in decoding. B is read once, without packing. `dotRows` is for weights [n, k] that are
 * dense along k; `sumRows` is for matrices [k, n] that are dense along n. Strides are in bytes.
 */
import { addAcross, madd } from "../simd";

/** out [m, n] = dot products of the rows of a [m, k] and b [n, k]. Each load of a serves four rows of b. */
export function dotRows(a: usize, aRow: usize, b: usize, bRow: usize, out: usize, outRow: usize, m: i32, n: i32, k: i32): void {
  let j = 0;
  for (; j + 4 <= n; j += 4) {
    const source = b + <usize>j * bRow;
    for (let i = 0; i < m; i++) v128.store(out + <usize>i * outRow + (<usize>j << 2), dotFour(a + <usize>i * aRow, source, bRow, k));
  }
  // The last one to three rows of b. A row stride of zero repeats the row; only one lane of the result is used.
  for (; j < n; j++) {
    const source = b + <usize>j * bRow;
    for (let i = 0; i < m; i++) {
      store<f32>(out + <usize>i * outRow + (<usize>j << 2), f32x4.extract_lane(dotFour(a + <usize>i * aRow, source, 0, k), 0));
    }
  }
}

/** The dot products of a [k] with four rows of b. */
function dotFour(a: usize, b: usize, bRow: usize, k: i32): v128 {
  let b1 = b + bRow;
  let b2 = b1 + bRow;
  let b3 = b2 + bRow;
  let c0 = f32x4.splat(0), c1 = f32x4.splat(0), c2 = f32x4.splat(0), c3 = f32x4.splat(0);
  let d0 = f32x4.splat(0), d1 = f32x4.splat(0), d2 = f32x4.splat(0), d3 = f32x4.splat(0);
  let x = 0;
  for (; x + 8 <= k; x += 8) {
    let value = v128.load(a);
    c0 = madd(value, v128.load(b), c0);
    c1 = madd(value, v128.load(b1), c1);
    c2 = madd(value, v128.load(b2), c2);
    c3 = madd(value, v128.load(b3), c3);
    value = v128.load(a, 16);
    d0 = madd(value, v128.load(b, 16), d0);
    d1 = madd(value, v128.load(b1, 16), d1);
    d2 = madd(value, v128.load(b2, 16), d2);
    d3 = madd(value, v128.load(b3, 16), d3);
    a += 32;
    b += 32;
    b1 += 32;
    b2 += 32;
    b3 += 32;
  }
  let sums = addAcross(f32x4.add(c0, d0), f32x4.add(c1, d1), f32x4.add(c2, d2), f32x4.add(c3, d3));
  for (; x < k; x++) {
    const column = f32x4(load<f32>(b), load<f32>(b1), load<f32>(b2), load<f32>(b3));
    sums = madd(v128.load32_splat(a), column, sums);
    a += 4;
    b += 4;
    b1 += 4;
    b2 += 4;
    b3 += 4;
  }
  return sums;
}

/** out [m, n] = a [m, k] b [k, n], with b dense along n. Keeps the sums of 32 columns in registers. */
export function sumRows(a: usize, aRow: usize, b: usize, bRow: usize, out: usize, m: i32, n: i32, k: i32): void {
  const outRow = <usize>n << 2;
  for (let i = 0; i < m; i++) {
    const row = a + <usize>i * aRow;
    const target = out + <usize>i * outRow;
    let j = 0;
    for (; j + 32 <= n; j += 32) sumThirtyTwo(row, b + (<usize>j << 2), bRow, target + (<usize>j << 2), k);
    for (; j + 4 <= n; j += 4) {
      let sum = f32x4.splat(0);
      for (let x: usize = 0; x < <usize>k; x++) sum = madd(v128.load32_splat(row + (x << 2)), v128.load(b + (<usize>j << 2) + x * bRow), sum);
      v128.store(target + (<usize>j << 2), sum);
    }
    for (; j < n; j++) {
      let sum: f32 = 0;
      for (let x: usize = 0; x < <usize>k; x++) sum += load<f32>(row + (x << 2)) * load<f32>(b + (<usize>j << 2) + x * bRow);
      store<f32>(target + (<usize>j << 2), sum);
    }
  }
}

function sumThirtyTwo(a: usize, b: usize, bRow: usize, out: usize, k: i32): void {
  let c0 = f32x4.splat(0), c1 = f32x4.splat(0), c2 = f32x4.splat(0), c3 = f32x4.splat(0);
  let c4 = f32x4.splat(0), c5 = f32x4.splat(0), c6 = f32x4.splat(0), c7 = f32x4.splat(0);
  for (let x = 0; x < k; x++) {
    const value = v128.load32_splat(a);
    c0 = madd(value, v128.load(b), c0);
    c1 = madd(value, v128.load(b, 16), c1);
    c2 = madd(value, v128.load(b, 32), c2);
    c3 = madd(value, v128.load(b, 48), c3);
    c4 = madd(value, v128.load(b, 64), c4);
    c5 = madd(value, v128.load(b, 80), c5);
    c6 = madd(value, v128.load(b, 96), c6);
    c7 = madd(value, v128.load(b, 112), c7);
    a += 4;
    b += bRow;
  }
  v128.store(out, c0);
  v128.store(out, c1, 16);
  v128.store(out, c2, 32);
  v128.store(out, c3, 48);
  v128.store(out, c4, 64);
  v128.store(out, c5, 80);
  v128.store(out, c6, 96);
  v128.store(out, c7, 112);
}
