/**
 * AssemblyScript kernels on tfjs's own memory. Compiled by scripts/build.ts with SIMD and relaxed SIMD.
 *
 * matMul: B is packed into panels of 8 columns ([panel][k][8], zero-padded), then a register tile of 4 rows x 8 columns
 * (8 accumulators) walks k once. Strides describe both operands, so all four transpositions are one routine; a
 * transposed A is read through its stride, four scalars per k.
 */

const PANEL: i32 = 8;

/** Bytes of scratch that matMul needs for packing B [k, n] and one strip of four rows of A. */
export function packBytes(n: i32, k: i32): i32 {
  return ((n + PANEL - 1) / PANEL) * PANEL * k * 4 + 4 * k * 4 + 64;
}

function packB(b: usize, n: i32, k: i32, bRow: i32, bCol: i32, pack: usize): void {
  const panels = (n + PANEL - 1) / PANEL;
  for (let p = 0; p < panels; p++) {
    const first = p * PANEL;
    const width = min(PANEL, n - first);
    let target = pack + ((<usize>first * k) << 2);
    if (bCol == 1 && width == PANEL) {
      for (let i = 0; i < k; i++) {
        const source = b + ((<usize>i * bRow + first) << 2);
        v128.store(target, v128.load(source));
        v128.store(target, v128.load(source, 16), 16);
        target += 32;
      }
    } else {
      for (let i = 0; i < k; i++) {
        for (let j = 0; j < PANEL; j++) {
          const value: f32 = j < width ? load<f32>(b + ((<usize>i * bRow + <usize>(first + j) * bCol) << 2)) : 0;
          store<f32>(target + (j << 2), value);
        }
        target += 32;
      }
    }
  }
}

/** out [m, n] = A [m, k] B [k, n]; element (i, j) of A lies at a + 4 (i aRow + j aCol), likewise B; out is dense. */
export function matMul(a: usize, b: usize, out: usize, m: i32, n: i32, k: i32, aRow: i32, aCol: i32, bRow: i32, bCol: i32, pack: usize): void {
  packB(b, n, k, bRow, bCol, pack);
  const panels = (n + PANEL - 1) / PANEL;
  const strip = pack + ((<usize>panels * PANEL * k) << 2);
  for (let i = 0; i < m; i += 4) {
    const rows = min(4, m - i);
    // The strip is [k][4], so that one load serves four rows.
    for (let r = 0; r < 4; r++) {
      const live = r < rows;
      let source = a + ((<usize>(i + (live ? r : 0)) * aRow) << 2);
      let target = strip + (r << 2);
      for (let x = 0; x < k; x++) {
        store<f32>(target, live ? load<f32>(source) : 0);
        source += <usize>aCol << 2;
        target += 16;
      }
    }
    for (let p = 0; p < panels; p++) {
      let bp = pack + ((<usize>p * PANEL * k) << 2);
      let ap = strip;
      let c00 = f32x4.splat(0);
      let c01 = f32x4.splat(0);
      let c10 = f32x4.splat(0);
      let c11 = f32x4.splat(0);
      let c20 = f32x4.splat(0);
      let c21 = f32x4.splat(0);
      let c30 = f32x4.splat(0);
      let c31 = f32x4.splat(0);
      for (let x = 0; x < k; x++) {
        const b0 = v128.load(bp);
        const b1 = v128.load(bp, 16);
        const a0 = v128.load32_splat(ap);
        const a1 = v128.load32_splat(ap, 4);
        const a2 = v128.load32_splat(ap, 8);
        const a3 = v128.load32_splat(ap, 12);
        c00 = f32x4.relaxed_madd(a0, b0, c00);
        c01 = f32x4.relaxed_madd(a0, b1, c01);
        c10 = f32x4.relaxed_madd(a1, b0, c10);
        c11 = f32x4.relaxed_madd(a1, b1, c11);
        c20 = f32x4.relaxed_madd(a2, b0, c20);
        c21 = f32x4.relaxed_madd(a2, b1, c21);
        c30 = f32x4.relaxed_madd(a3, b0, c30);
        c31 = f32x4.relaxed_madd(a3, b1, c31);
        bp += 32;
        ap += 16;
      }
      const first = p * PANEL;
      const width = min(PANEL, n - first);
      const target = out + ((<usize>i * n + first) << 2);
      storeRow(target, c00, c01, width);
      if (rows > 1) storeRow(target + (<usize>n << 2), c10, c11, width);
      if (rows > 2) storeRow(target + (<usize>n << 3), c20, c21, width);
      if (rows > 3) storeRow(target + (<usize>(3 * n) << 2), c30, c31, width);
    }
  }
}

// @ts-ignore: decorator
@inline
function storeRow(target: usize, low: v128, high: v128, width: i32): void {
  if (width == PANEL) {
    v128.store(target, low);
    v128.store(target, high, 16);
    return;
  }
  store<f32>(target, f32x4.extract_lane(low, 0));
  if (width > 1) store<f32>(target, f32x4.extract_lane(low, 1), 4);
  if (width > 2) store<f32>(target, f32x4.extract_lane(low, 2), 8);
  if (width > 3) store<f32>(target, f32x4.extract_lane(low, 3), 12);
  if (width > 4) store<f32>(target, f32x4.extract_lane(high, 0), 16);
  if (width > 5) store<f32>(target, f32x4.extract_lane(high, 1), 20);
  if (width > 6) store<f32>(target, f32x4.extract_lane(high, 2), 24);
}

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

/** exp(x) for x <= 0: x = n ln 2 + r, a polynomial in r (Cephes). The library's exp would bring a table into tfjs's memory. */
// @ts-ignore: decorator
@inline
function expf(x: f32): f32 {
  if (x < -87) return 0;
  const n = nearest<f32>(x * 1.44269504);
  const r = x - n * 0.693359375 + n * 2.12194440e-4;
  let y: f32 = 1.9875691500e-4;
  y = y * r + 1.3981999507e-3;
  y = y * r + 8.3334519073e-3;
  y = y * r + 4.1665795894e-2;
  y = y * r + 1.6666665459e-1;
  y = y * r + 5.0000001201e-1;
  y = y * r * r + r + 1;
  return y * reinterpret<f32>((<i32>n + 127) << 23);
}

// @ts-ignore: decorator
@inline
function dot(a: usize, b: usize, width: i32): f32 {
  let sum = f32x4.splat(0);
  let i = 0;
  for (; i + 4 <= width; i += 4) sum = f32x4.relaxed_madd(v128.load(a + (i << 2)), v128.load(b + (i << 2)), sum);
  let total = f32x4.extract_lane(sum, 0) + f32x4.extract_lane(sum, 1) + (f32x4.extract_lane(sum, 2) + f32x4.extract_lane(sum, 3));
  for (; i < width; i++) total += load<f32>(a + (i << 2)) * load<f32>(b + (i << 2));
  return total;
}

/** y += scale x */
// @ts-ignore: decorator
@inline
function addScaled(scale: f32, x: usize, y: usize, width: i32): void {
  const s = f32x4.splat(scale);
  let i = 0;
  for (; i + 4 <= width; i += 4) v128.store(y + (i << 2), f32x4.relaxed_madd(s, v128.load(x + (i << 2)), v128.load(y + (i << 2))));
  for (; i < width; i++) store<f32>(y + (i << 2), load<f32>(y + (i << 2)) + scale * load<f32>(x + (i << 2)));
}

/** q [B, T, H, D], k, v [B, S, K, D] -> out [B, T, H, D]; row is scratch for S floats. */
export function attention(q: usize, k: usize, v: usize, out: usize, b: i32, t: i32, s: i32, h: i32, kv: i32, d: i32, scale: f32, row: usize): void {
  memory.fill(out, 0, (<usize>(b * t * h * d)) << 2);
  for (let i = 0; i < b; i++) {
    for (let j = 0; j < h; j++) {
      const head = j / (h / kv);
      for (let x = 0; x < t; x++) {
        const at = (<usize>(((i * t + x) * h + j) * d)) << 2;
        const limit = s - t + x + 1;
        probabilities(q + at, k + ((<usize>((i * s * kv + head) * d)) << 2), limit, kv * d, d, scale, row);
        for (let y = 0; y < limit; y++) addScaled(load<f32>(row + (y << 2)), v + ((<usize>(((i * s + y) * kv + head) * d)) << 2), out + at, d);
      }
    }
  }
}

/** row [limit] = softmax of scale q . k over the first limit keys, which lie stride floats apart */
function probabilities(q: usize, k: usize, limit: i32, stride: i32, d: i32, scale: f32, row: usize): void {
  let top: f32 = -Infinity;
  for (let y = 0; y < limit; y++) {
    const score = scale * dot(q, k + ((<usize>(y * stride)) << 2), d);
    store<f32>(row + (y << 2), score);
    top = max(top, score);
  }
  let sum: f32 = 0;
  for (let y = 0; y < limit; y++) {
    const value = expf(load<f32>(row + (y << 2)) - top);
    store<f32>(row + (y << 2), value);
    sum += value;
  }
  const inverse: f32 = 1 / sum;
  for (let y = 0; y < limit; y++) store<f32>(row + (y << 2), load<f32>(row + (y << 2)) * inverse);
}

/** Gradients of attention for dy [B, T, H, D]; probabilities are recomputed row by row, so no T x S matrix exists. */
export function attentionBackward(q: usize, k: usize, v: usize, out: usize, dy: usize, dq: usize, dk: usize, dv: usize, b: i32, t: i32, s: i32, h: i32, kv: i32, d: i32, scale: f32, row: usize): void {
  memory.fill(dq, 0, (<usize>(b * t * h * d)) << 2);
  memory.fill(dk, 0, (<usize>(b * s * kv * d)) << 2);
  memory.fill(dv, 0, (<usize>(b * s * kv * d)) << 2);
  for (let i = 0; i < b; i++) {
    for (let j = 0; j < h; j++) {
      const base = (<usize>((i * s * kv + j / (h / kv)) * d)) << 2;
      for (let x = 0; x < t; x++) {
        const at = (<usize>(((i * t + x) * h + j) * d)) << 2;
        const limit = s - t + x + 1;
        probabilities(q + at, k + base, limit, kv * d, d, scale, row);
        const mean = dot(dy + at, out + at, d);
        for (let y = 0; y < limit; y++) {
          const p = load<f32>(row + (y << 2));
          const other = base + ((<usize>(y * kv * d)) << 2);
          const ds = p * (dot(dy + at, v + other, d) - mean) * scale;
          addScaled(p, dy + at, dv + other, d);
          addScaled(ds, k + other, dq + at, d);
          addScaled(ds, q + at, dk + other, d);
        }
      }
    }
  }
}
