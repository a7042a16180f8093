/** Packs B as the seven operands of Strassen's products: quadrants of B and sums of quadrants (strassen.ts). */
import { packBPanels, bPanelsBytes, scaled } from "./pack";
import { prefetchRows } from "./prefetch";
import { B_PANEL_ROW, COLUMNS } from "./layout";

/** The position of each product's operand among the packed operands. */
export const M2: i32 = 0;
export const M5: i32 = 1;
export const M6: i32 = 2;
export const M7: i32 = 3;
export const M1: i32 = 4;
export const M3: i32 = 5;
export const M4: i32 = 6;

/**
 * Extra bytes between packed operands. If seven streams are a multiple of 4,096 bytes apart, they compete for a few lines of the
 * first-level cache (shared/tensor/README.md).
 */
const GAP: usize = 64;

/** Bytes from a packed operand of B [2 k, 2 n] to the next. */
// @ts-ignore: decorator
@inline
export function operandBytes(k: i32, n: i32): usize {
  return bPanelsBytes(k, n) + GAP;
}

/** Bytes of all seven operands of B [k, n]. */
// @ts-ignore: decorator
@inline
export function operandsBytes(k: i32, n: i32): usize {
  return 7 * (bPanelsBytes(k, n) / 4 + GAP);
}

/**
 * Packs the seven operands of B [2 k, 2 n] in this order: B11, B22, B11 + B12, B21 + B22, B11 + B22, B12 - B22, B21 - B11.
 * Multiplies row x of B by scales[x] (`scales` 0: no scales).
 */
export function packOperands(b: usize, k: i32, n: i32, row: usize, column: usize, scales: usize, pack: usize): void {
  const operand = operandBytes(k, n);
  const down = <usize>k * row;
  const right = <usize>n * column;
  const isDense = column == 4;
  if (isDense) prefetchRows(b, 2 * k, <usize>n << 3, row);
  else if (row == 4) prefetchRows(b, 2 * n, <usize>k << 3, column);
  for (let j = 0; j < n; j += COLUMNS) {
    if (isDense) combine(b, b + down + right, b + right, b + down, row, k, scales, pack, operand);
    else {
      // Packs the quadrants' panels to the places of four operands; `combine` then replaces them by the operands.
      const b22 = pack + operand, b12 = b22 + operand, b21 = b12 + operand;
      packBPanels(b, k, COLUMNS, row, column, pack);
      packBPanels(b + down + right, k, COLUMNS, row, column, b22);
      packBPanels(b + right, k, COLUMNS, row, column, b12);
      packBPanels(b + down, k, COLUMNS, row, column, b21);
      combine(pack, b22, b12, b21, B_PANEL_ROW, k, scales, pack, operand);
    }
    b += <usize>COLUMNS * column;
    pack += <usize>k * B_PANEL_ROW;
  }
}

/**
 * Computes all operands from one panel of each quadrant. The panels have a row stride of `row` bytes; the operands are `operand`
 * bytes apart.
 */
function combine(
  b11: usize, b22: usize, b12: usize, b21: usize, row: usize, rows: i32, scales: usize, out: usize, operand: usize,
): void {
  if (scales == 0) combineRows(false, b11, b22, b12, b21, row, rows, 0, out, operand);
  else combineRows(true, b11, b22, b12, b21, row, rows, scales, out, operand);
}

/** Two rows of an operand fill a cache line. Writing two rows at a time therefore completes a line before the next operand. */
// @ts-ignore: decorator
@inline
function combineRows(
  isScaled: bool, b11: usize, b22: usize, b12: usize, b21: usize, row: usize, rows: i32, scales: usize, out: usize, operand: usize,
): void {
  const half = <usize>rows << 2;
  let o3 = out + 2 * operand, o5 = o3 + 2 * operand, o7 = o5 + 2 * operand;
  for (let i = 0; i < rows; i += 2) {
    // @unroll R 2
    const upper$R = isScaled ? v128.load32_splat(scales, 4 * R) : f32x4.splat(1);
    const lower$R = isScaled ? v128.load32_splat(scales + half, 4 * R) : f32x4.splat(1);
    // @end
    // @unroll K 4
    const at$K = K < 2 ? 0 : row;
    const x11$K = scaled(isScaled, v128.load(b11 + at$K, 16 * (K & 1)), K < 2 ? upper$0 : upper$1);
    const x22$K = scaled(isScaled, v128.load(b22 + at$K, 16 * (K & 1)), K < 2 ? lower$0 : lower$1);
    v128.store(out, x11$K, 16 * K);
    v128.store(out + operand, x22$K, 16 * K);
    v128.store(o5, f32x4.add(x11$K, x22$K), 16 * K);
    // @end
    // @unroll K 4
    const x12$K = scaled(isScaled, v128.load(b12 + at$K, 16 * (K & 1)), K < 2 ? upper$0 : upper$1);
    v128.store(o3, f32x4.add(x11$K, x12$K), 16 * K);
    v128.store(o5 + operand, f32x4.sub(x12$K, x22$K), 16 * K);
    // @end
    // @unroll K 4
    const x21$K = scaled(isScaled, v128.load(b21 + at$K, 16 * (K & 1)), K < 2 ? lower$0 : lower$1);
    v128.store(o3 + operand, f32x4.add(x21$K, x22$K), 16 * K);
    v128.store(o7, f32x4.sub(x21$K, x11$K), 16 * K);
    // @end
    b11 += 2 * row;
    b22 += 2 * row;
    b12 += 2 * row;
    b21 += 2 * row;
    scales += 8;
    out += 2 * B_PANEL_ROW;
    o3 += 2 * B_PANEL_ROW;
    o5 += 2 * B_PANEL_ROW;
    o7 += 2 * B_PANEL_ROW;
  }
}
