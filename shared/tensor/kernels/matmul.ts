/**
 * matMul: B is packed into panels of 8 columns ([panel][k][8], zero-padded), then a register tile of 4 rows x 8 columns
 * (8 accumulators) walks k once. Strides describe both operands, so all four transpositions are one routine; a
 * transposed A is read through its stride, four scalars per k.
 */
import { madd } from "./simd";

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
        c00 = madd(a0, b0, c00);
        c01 = madd(a0, b1, c01);
        c10 = madd(a1, b0, c10);
        c11 = madd(a1, b1, c11);
        c20 = madd(a2, b0, c20);
        c21 = madd(a2, b1, c21);
        c30 = madd(a3, b0, c30);
        c31 = madd(a3, b1, c31);
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
