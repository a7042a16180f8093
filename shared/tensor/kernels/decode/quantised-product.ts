/**
 * x w^T with integers of 7 and 8 bits. A group of 32 weights of a row shares a scale, and so does a group of 32 inputs.
 *
 * Weights are stored as 1 to 127 (0 is 64), because the second operand of the relaxed dot product must not be negative. Inputs
 * are -127 to 127. The surplus of 64 times the sum of a group's inputs is the same for all weights, so each sum begins with its
 * negative. Sums of integers are exact, and scales are applied without `madd`: both builds and all batches give the same bits.
 *
 * Packed weights: panels of up to PANEL rows, in a panel group after group, in a group tiles of 16 rows. A tile has eight times
 * four inputs for each row, four rows to a vector, then the 16 scales. A panel's tiles are read in the order of memory, and an
 * input group stays at constant addresses, which workerd does not check (gemm/microkernel.ts), while it meets all tiles.
 */
import { A_PANEL } from "../gemm/layout";
import { IS_FUSED, maxLanes } from "../simd";

const GROUP: i32 = 32;
const TILE_ROWS: i32 = 16;
const PANEL: i32 = 512;
const SCALES: usize = 512;
const TILE_BYTES: usize = 576;
/** Weights are -63 to 63, stored with this number added. */
const MIDDLE: i32 = 64;
const MOST_WEIGHT: f32 = 63;
const MOST_INPUT: f32 = 127;
/** 1.5 * 2^23: adding it rounds a small float to an integer, in the lowest bits. */
const ROUNDING: f32 = 12582912;

// @ts-ignore: decorator
@inline
function groupsOf(k: i32): i32 {
  return (k + GROUP - 1) / GROUP;
}

// @ts-ignore: decorator
@inline
function tilesOf(n: i32): i32 {
  return (n + TILE_ROWS - 1) / TILE_ROWS;
}

/** @query Bytes of packed weights [n, k]. */
export function packedBytes(n: i32, k: i32): usize {
  return <usize>(tilesOf(n) * groupsOf(k)) * TILE_BYTES;
}

/** Bytes of a quantised row of k inputs: the inputs, a scale per group, a correction per group. */
// @ts-ignore: decorator
@inline
export function quantisedBytes(k: i32): usize {
  return (<usize>groupsOf(k) * (GROUP + 8) + 15) & ~15;
}

/** The largest absolute value of 32 numbers. */
// @ts-ignore: decorator
@inline
function largest(x: usize): f32 {
  let most = f32x4.splat(0);
  // @unroll K 8
  most = f32x4.pmax(most, f32x4.abs(v128.load(x, 16 * K)));
  // @end
  return maxLanes(most);
}

/** 16 numbers times `factor`, rounded to integers of 8 bits. */
// @ts-ignore: decorator
@inline
function rounded(x: usize, factor: v128): v128 {
  const rounding = f32x4.splat(ROUNDING), bits = i32x4.splat(reinterpret<i32>(ROUNDING));
  // @unroll K 4
  const i$K = i32x4.sub(f32x4.add(f32x4.mul(v128.load(x, 16 * K), factor), rounding), bits);
  // @end
  return i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(i$0, i$1), i16x8.narrow_i32x4_s(i$2, i$3));
}

const SPARE: usize = A_PANEL + 1024;

/** Copies up to 32 numbers of a row to SPARE, with zeros behind. */
function padded(x: usize, count: i32): usize {
  memory.fill(SPARE, 0, GROUP << 2);
  memory.copy(SPARE, x, <usize>count << 2);
  return SPARE;
}

/** Packs float32 weights w [n, k] to `out`. */
export function packWeights(w: usize, out: usize, n: i32, k: i32): void {
  memory.fill(out, 0, packedBytes(n, k));
  const groups = groupsOf(k);
  const middle = i8x16.splat(<i8>MIDDLE);
  for (let row = 0; row < n; row++) {
    const first = row & ~(PANEL - 1);
    const tiles = tilesOf(min(PANEL, n - first));
    const panel = out + <usize>(first / TILE_ROWS * groups) * TILE_BYTES;
    const inTile = row % TILE_ROWS;
    let tile = panel + <usize>((row - first) / TILE_ROWS) * TILE_BYTES;
    for (let column = 0; column < k; column += GROUP) {
      const at = w + (<usize>column << 2);
      const x = k - column < GROUP ? padded(at, k - column) : at;
      const most = largest(x);
      store<f32>(tile + SCALES + (<usize>inTile << 2), most / MOST_WEIGHT);
      const factor = f32x4.splat(most > 0 ? MOST_WEIGHT / most : 0);
      const low = i8x16.add(rounded(x, factor), middle), high = i8x16.add(rounded(x + 64, factor), middle);
      const target = tile + (<usize>inTile << 2);
      // @unroll S 4
      store<i32>(target, i32x4.extract_lane(low, S), 64 * S);
      store<i32>(target, i32x4.extract_lane(high, S), 64 * S + 256);
      // @end
      tile += <usize>tiles * TILE_BYTES;
    }
    w += <usize>k << 2;
  }
}

/** Quantises rows x [m, k] to `out`, rows of quantisedBytes. `xRow` is in bytes. */
export function quantiseRows(x: usize, xRow: usize, out: usize, m: i32, k: i32): void {
  const groups = groupsOf(k);
  for (let i = 0; i < m; i++) {
    const inputs = out + <usize>i * quantisedBytes(k);
    const scales = inputs + <usize>groups * GROUP;
    const corrections = scales + (<usize>groups << 2);
    for (let g = 0; g < groups; g++) {
      const at = x + <usize>i * xRow + (<usize>(g * GROUP) << 2);
      const count = k - g * GROUP;
      const source = count < GROUP ? padded(at, count) : at;
      const most = largest(source);
      const factor = f32x4.splat(most > 0 ? MOST_INPUT / most : 0);
      const low = rounded(source, factor), high = rounded(source + 64, factor);
      v128.store(inputs + <usize>(g * GROUP), low);
      v128.store(inputs + <usize>(g * GROUP), high, 16);
      store<f32>(scales + (<usize>g << 2), most / MOST_INPUT);
      const pairs = i16x8.add(i16x8.extadd_pairwise_i8x16_s(low), i16x8.extadd_pairwise_i8x16_s(high));
      const fours = i32x4.extadd_pairwise_i16x8_s(pairs);
      const sum = i32x4.extract_lane(fours, 0) + i32x4.extract_lane(fours, 1) + i32x4.extract_lane(fours, 2) + i32x4.extract_lane(fours, 3);
      store<i32>(corrections + (<usize>g << 2), -MIDDLE * sum);
    }
  }
}

/**
 * out [m, n] = x w^T, or that added to out, for rows of quantiseRows and weights of packWeights. Writes whole tiles: rows of out
 * have room for n rounded up to 16 numbers.
 */
export function quantisedProduct(x: usize, w: usize, out: usize, outRow: usize, m: i32, n: i32, k: i32, adds: bool): void {
  const groups = groupsOf(k);
  const row = quantisedBytes(k);
  for (let first = 0; first < n; first += PANEL) {
    const tiles = tilesOf(min(PANEL, n - first));
    const target = out + (<usize>first << 2);
    if (!adds) for (let i = 0; i < m; i++) memory.fill(target + <usize>i * outRow, 0, <usize>(tiles * TILE_ROWS) << 2);
    for (let g = 0; g < groups; g++) {
      let i = 0;
      for (; i + 4 <= m; i += 4) rowsOfPanel(4, x + <usize>i * row, row, g, groups, w, tiles, target + <usize>i * outRow, outRow);
      for (; i + 2 <= m; i += 2) rowsOfPanel(2, x + <usize>i * row, row, g, groups, w, tiles, target + <usize>i * outRow, outRow);
      if (i < m) rowOfPanel(x + <usize>i * row, g, groups, w, tiles, target + <usize>i * outRow);
      w += <usize>tiles * TILE_BYTES;
    }
  }
}

/** sum + the products of four inputs, repeated in x, with four weights of each of four rows */
// @ts-ignore: decorator
@inline
function dotAdd(x: v128, w: v128, sum: v128): v128 {
  if (IS_FUSED) return i32x4.relaxed_dot_i8x16_i7x16_add_s(x, w, sum);
  const low = i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_s(x), i16x8.extend_low_i8x16_s(w));
  const high = i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_s(x), i16x8.extend_high_i8x16_s(w));
  const pairs = i32x4.add(v128.shuffle<i32>(low, high, 0, 2, 4, 6), v128.shuffle<i32>(low, high, 1, 3, 5, 7));
  return i32x4.add(sum, pairs);
}

/** Adds four sums with the scales of weights and inputs to out. */
// @ts-ignore: decorator
@inline
function addScaled(sums: v128, weightScales: v128, inputScale: v128, out: usize): void {
  const product = f32x4.mul(f32x4.mul(f32x4.convert_i32x4_s(sums), weightScales), inputScale);
  v128.store(out, f32x4.add(v128.load(out), product));
}

/** One group of one row of inputs times a group of a panel. The inputs stay in registers. */
function rowOfPanel(x: usize, g: i32, groups: i32, w: usize, tiles: i32, out: usize): void {
  const scale = v128.load32_splat(x + <usize>groups * GROUP + (<usize>g << 2));
  const correction = v128.load32_splat(x + <usize>groups * (GROUP + 4) + (<usize>g << 2));
  const inputs = x + <usize>(g * GROUP);
  // @unroll S 8
  const x$S = v128.load32_splat(inputs, 4 * S);
  // @end
  const end = w + <usize>tiles * TILE_BYTES;
  for (; w < end; w += TILE_BYTES) {
    let a = correction, b = correction, c = correction, d = correction;
    // @unroll S 8
    a = dotAdd(x$S, v128.load(w, 64 * S), a);
    b = dotAdd(x$S, v128.load(w, 64 * S + 16), b);
    c = dotAdd(x$S, v128.load(w, 64 * S + 32), c);
    d = dotAdd(x$S, v128.load(w, 64 * S + 48), d);
    // @end
    addScaled(a, v128.load(w, SCALES), scale, out);
    addScaled(b, v128.load(w, SCALES + 16), scale, out + 16);
    addScaled(c, v128.load(w, SCALES + 32), scale, out + 32);
    addScaled(d, v128.load(w, SCALES + 48), scale, out + 48);
    out += TILE_ROWS << 2;
  }
}

/** Where a group of up to four rows of inputs lies while it meets a panel: each input four times, then scale and correction. */
const INPUTS: usize = A_PANEL;
const INPUT_ROW: usize = 160;

/** `count` rows of inputs (2 or 4, a compile-time constant) times a group of a panel. */
// @ts-ignore: decorator
@inline
function rowsOfPanel(count: i32, x: usize, row: usize, g: i32, groups: i32, w: usize, tiles: i32, out: usize, outRow: usize): void {
  for (let i = 0; i < count; i++) {
    const source = x + <usize>i * row + <usize>(g * GROUP);
    const target = INPUTS + <usize>i * INPUT_ROW;
    // @unroll S 8
    v128.store(target, v128.load32_splat(source, 4 * S), 16 * S);
    // @end
    v128.store(target, v128.load32_splat(x + <usize>i * row + <usize>groups * GROUP + (<usize>g << 2)), 128);
    v128.store(target, v128.load32_splat(x + <usize>i * row + <usize>groups * (GROUP + 4) + (<usize>g << 2)), 144);
  }
  const end = w + <usize>tiles * TILE_BYTES;
  for (; w < end; w += TILE_BYTES) {
    halfTile(count, w, w + SCALES, out, outRow);
    halfTile(count, w + 32, w + SCALES + 32, out + 32, outRow);
    out += TILE_ROWS << 2;
  }
}

/** Eight rows of a tile, at `w`, times `count` rows of inputs. */
// @ts-ignore: decorator
@inline
function halfTile(count: i32, w: usize, scales: usize, out: usize, outRow: usize): void {
  // @unroll T 4
  let a$T = v128.load(INPUTS + T * INPUT_ROW + 144), b$T = a$T;
  // @end
  // @unroll S 8
  {
    const first = v128.load(w, 64 * S), second = v128.load(w, 64 * S + 16);
    const x0 = v128.load(INPUTS + 16 * S), x1 = v128.load(INPUTS + INPUT_ROW + 16 * S);
    a$0 = dotAdd(x0, first, a$0);
    b$0 = dotAdd(x0, second, b$0);
    a$1 = dotAdd(x1, first, a$1);
    b$1 = dotAdd(x1, second, b$1);
    if (count > 2) {
      const x2 = v128.load(INPUTS + 2 * INPUT_ROW + 16 * S), x3 = v128.load(INPUTS + 3 * INPUT_ROW + 16 * S);
      a$2 = dotAdd(x2, first, a$2);
      b$2 = dotAdd(x2, second, b$2);
      a$3 = dotAdd(x3, first, a$3);
      b$3 = dotAdd(x3, second, b$3);
    }
  }
  // @end
  const sa = v128.load(scales), sb = v128.load(scales, 16);
  // @unroll T 4
  if (T < count) {
    const scale = v128.load(INPUTS + T * INPUT_ROW + 128);
    addScaled(a$T, sa, scale, out + T * outRow);
    addScaled(b$T, sb, scale, out + T * outRow + 16);
  }
  // @end
}
