/**
 * x w^T with integers of 7 and 8 bits. A group of weights of a row shares a scale, and so does a group of inputs.
 *
 * Weights are stored as 1 to 127 (0 is 64), because the second operand of the relaxed dot product must not be negative. Inputs
 * are -127 to 127. The surplus of 64 times the sum of a group's inputs is the same for all weights, so each sum begins with its
 * negative. Sums of integers are exact, and scales are applied without `madd`: both builds and all batches give the same bits.
 *
 * The inputs are divided into groups of equal length, at most LONGEST_GROUP. Longer groups have fewer scales to apply: for four
 * rows that is work for a twelfth of the products instead of a quarter. A step is four inputs.
 *
 * Packed weights: panels of up to PANEL rows, in a panel group after group, in a group tiles of 16 rows. A tile has its 16
 * scales, then for each step four inputs of each row, four rows to a vector. A panel's tiles are read in the order of memory,
 * and an input group stays at constant addresses, which workerd does not check (gemm/microkernel.ts), while it meets all tiles.
 */
import { A_PANEL, partSize } from "../gemm/layout";
import { IS_FUSED, maxLanes } from "../simd";

/** 24 steps, which tileOf has written out. */
const LONGEST_GROUP: i32 = 96;
const TILE_ROWS: i32 = 16;
/** A group of a panel has 25 KB, so it stays in the first-level cache while all rows of inputs meet it. */
const PANEL: i32 = 256;
const STEP_BYTES: i32 = TILE_ROWS * 4;
/** Weights are -63 to 63, stored with this number added. */
const MIDDLE: i32 = 64;
const MOST_WEIGHT: f32 = 63;
const MOST_INPUT: f32 = 127;
/** 1.5 * 2^23: adding it rounds a small float to an integer, in the lowest bits. */
const ROUNDING: f32 = 12582912;

/** Inputs of a group. */
// @ts-ignore: decorator
@inline
function depthOf(k: i32): i32 {
  return partSize(k, LONGEST_GROUP);
}

// @ts-ignore: decorator
@inline
function groupsOf(k: i32): i32 {
  return (k + LONGEST_GROUP - 1) / LONGEST_GROUP;
}

// @ts-ignore: decorator
@inline
function tilesOf(n: i32): i32 {
  return (n + TILE_ROWS - 1) / TILE_ROWS;
}

/** Bytes of a tile with a group of weights. */
// @ts-ignore: decorator
@inline
function tileBytes(k: i32): usize {
  return <usize>((depthOf(k) / 4 + 1) * STEP_BYTES);
}

/** @query Bytes of packed weights [n, k]. */
export function packedBytes(n: i32, k: i32): usize {
  return <usize>(tilesOf(n) * groupsOf(k)) * tileBytes(k);
}

/** Bytes of the scale and the correction of all groups of a row of inputs, which the inputs follow. */
// @ts-ignore: decorator
@inline
function scaleBytes(k: i32): usize {
  return <usize>groupsOf(k) << 3;
}

/** Bytes of a quantised row of k inputs. Its last vector may reach beyond the last group. */
// @ts-ignore: decorator
@inline
export function quantisedBytes(k: i32): usize {
  return (scaleBytes(k) + <usize>(groupsOf(k) * depthOf(k)) + 31) & ~15;
}

/** Where a group lies while it is quantised: its numbers with zeros behind, then its integers. */
const SPARE: usize = A_PANEL + 1024;
const INTEGERS: usize = SPARE + <usize>(LONGEST_GROUP << 2);

/** `count` numbers, followed by zeros up to `depth` and to a whole vector of integers. */
function padded(x: usize, count: i32, depth: i32): usize {
  if (count == depth && (depth & 15) == 0) return x;
  memory.fill(SPARE, 0, <usize>LONGEST_GROUP << 2);
  memory.copy(SPARE, x, <usize>count << 2);
  return SPARE;
}

/** The largest absolute value of `depth` numbers, in whole vectors of 16. */
function largest(x: usize, depth: i32): f32 {
  let most = f32x4.splat(0);
  for (let at = 0; at < depth; at += 16) {
    // @unroll K 4
    most = f32x4.pmax(most, f32x4.abs(v128.load(x, 16 * K)));
    // @end
    x += 64;
  }
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

/** Packs float32 weights w [n, k] to `out`. */
export function packWeights(w: usize, out: usize, n: i32, k: i32): void {
  memory.fill(out, 0, packedBytes(n, k));
  const groups = groupsOf(k), depth = depthOf(k), bytes = tileBytes(k);
  const middle = i8x16.splat(<i8>MIDDLE);
  for (let row = 0; row < n; row++) {
    const first = row & ~(PANEL - 1);
    const tiles = tilesOf(min(PANEL, n - first));
    let tile = out + <usize>(first / TILE_ROWS * groups + (row - first) / TILE_ROWS) * bytes;
    const place = <usize>(row % TILE_ROWS) << 2;
    for (let column = 0; column < k; column += depth) {
      const x = padded(w + (<usize>column << 2), min(depth, k - column), depth);
      const most = largest(x, depth);
      store<f32>(tile + place, most / MOST_WEIGHT);
      const factor = f32x4.splat(most > 0 ? MOST_WEIGHT / most : 0);
      for (let at: usize = 0; at < <usize>depth; at += 16) v128.store(INTEGERS + at, i8x16.add(rounded(x + (at << 2), factor), middle));
      let target = tile + place + STEP_BYTES;
      for (let at: usize = 0; at < <usize>depth; at += 4) {
        store<i32>(target, load<i32>(INTEGERS + at));
        target += STEP_BYTES;
      }
      tile += <usize>tiles * bytes;
    }
    w += <usize>k << 2;
  }
}

/** Quantises rows x [m, k] to `out`, rows of quantisedBytes. `xRow` is in bytes. */
export function quantiseRows(x: usize, xRow: usize, out: usize, m: i32, k: i32): void {
  const depth = depthOf(k);
  for (let i = 0; i < m; i++) {
    let scales = out + <usize>i * quantisedBytes(k);
    let target = scales + scaleBytes(k);
    for (let column = 0; column < k; column += depth) {
      const source = padded(x + <usize>i * xRow + (<usize>column << 2), min(depth, k - column), depth);
      const most = largest(source, depth);
      const factor = f32x4.splat(most > 0 ? MOST_INPUT / most : 0);
      let sums = i32x4.splat(0);
      for (let at: usize = 0; at < <usize>depth; at += 16) {
        const integers = rounded(source + (at << 2), factor);
        v128.store(target + at, integers);
        sums = i32x4.add(sums, i32x4.extadd_pairwise_i16x8_s(i16x8.extadd_pairwise_i8x16_s(integers)));
      }
      const sum = i32x4.extract_lane(sums, 0) + i32x4.extract_lane(sums, 1) + i32x4.extract_lane(sums, 2) + i32x4.extract_lane(sums, 3);
      store<f32>(scales, most / MOST_INPUT);
      store<i32>(scales, -MIDDLE * sum, 4);
      scales += 8;
      target += depth;
    }
  }
}

/**
 * out [m, n] = x w^T, or that added to out, for rows of quantiseRows and weights of packWeights. Writes whole tiles: rows of out
 * have room for n rounded up to 16 numbers.
 */
export function quantisedProduct(x: usize, w: usize, out: usize, outRow: usize, m: i32, n: i32, k: i32, adds: bool): void {
  const groups = groupsOf(k), steps = depthOf(k) / 4;
  const row = quantisedBytes(k);
  for (let first = 0; first < n; first += PANEL) {
    const tiles = tilesOf(min(PANEL, n - first));
    const panelBytes = <usize>tiles * tileBytes(k);
    const target = out + (<usize>first << 2);
    if (!adds) for (let i = 0; i < m; i++) memory.fill(target + <usize>i * outRow, 0, <usize>(tiles * TILE_ROWS) << 2);
    for (let g = 0; g < groups; g++) {
      for (let i = 0; i < m; ) {
        const rows = m - i >= 4 ? 4 : m - i >= 2 ? 2 : 1;
        for (let r = 0; r < rows; r++) takeGroup(x + <usize>(i + r) * row, g, groups, steps, INPUTS + <usize>r * INPUT_ROW);
        const sums = target + <usize>i * outRow;
        if (rows == 4) fourRows(w, w + panelBytes, steps, sums, outRow);
        else if (rows == 2) twoRows(w, w + panelBytes, steps, sums, outRow);
        else oneRow(w, w + panelBytes, steps, sums, outRow);
        i += rows;
      }
      w += panelBytes;
    }
  }
}

/** Where a group of up to four rows of inputs lies while it meets a panel: its inputs, then scale and correction. */
const INPUTS: usize = A_PANEL;
const INPUT_ROW: usize = LONGEST_GROUP + 16;

function takeGroup(x: usize, g: i32, groups: i32, steps: i32, target: usize): void {
  const inputs = x + (<usize>groups << 3) + (<usize>(g * steps) << 2);
  for (let at: usize = 0; at < <usize>steps << 2; at += 16) v128.store(target + at, v128.load(inputs + at));
  store<u64>(target + LONGEST_GROUP, load<u64>(x + (<usize>g << 3)));
}

function oneRow(w: usize, end: usize, steps: i32, out: usize, outRow: usize): void {
  for (; w < end; w += <usize>((steps + 1) * STEP_BYTES)) {
    tileOf(1, 4, w, steps, out, outRow);
    out += TILE_ROWS << 2;
  }
}

function twoRows(w: usize, end: usize, steps: i32, out: usize, outRow: usize): void {
  for (; w < end; w += <usize>((steps + 1) * STEP_BYTES)) {
    tileOf(2, 4, w, steps, out, outRow);
    out += TILE_ROWS << 2;
  }
}

function fourRows(w: usize, end: usize, steps: i32, out: usize, outRow: usize): void {
  for (; w < end; w += <usize>((steps + 1) * STEP_BYTES)) {
    tileOf(4, 2, w, steps, out, outRow);
    tileOf(4, 2, w + 32, steps, out + 32, outRow);
    out += TILE_ROWS << 2;
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

/**
 * The first `vectors` times four rows of a tile times `rows` rows of inputs, both compile-time constants with at most eight
 * sums. Four sums would wait for each other, and more than eight would not stay in registers with their operands.
 */
// @ts-ignore: decorator
@inline
function tileOf(rows: i32, vectors: i32, w: usize, steps: i32, out: usize, outRow: usize): void {
  // @unroll R 4
  let a$R = v128.load32_splat(INPUTS + R * INPUT_ROW + LONGEST_GROUP + 4), b$R = a$R, c$R = a$R, d$R = a$R;
  // @end
  let x: v128;
  while (true) {
    // Each step has an exit. Without the exits, binaryen would sort the steps by sum and spill all operands to memory.
    // @unroll S 24
    {
      const wa = v128.load(w, 64 * S + 64), wb = v128.load(w, 64 * S + 80);
      x = v128.load32_splat(INPUTS + 4 * S);
      a$0 = dotAdd(x, wa, a$0);
      b$0 = dotAdd(x, wb, b$0);
      if (rows > 1) {
        x = v128.load32_splat(INPUTS + INPUT_ROW + 4 * S);
        a$1 = dotAdd(x, wa, a$1);
        b$1 = dotAdd(x, wb, b$1);
      }
      if (rows > 2) {
        x = v128.load32_splat(INPUTS + 2 * INPUT_ROW + 4 * S);
        a$2 = dotAdd(x, wa, a$2);
        b$2 = dotAdd(x, wb, b$2);
        x = v128.load32_splat(INPUTS + 3 * INPUT_ROW + 4 * S);
        a$3 = dotAdd(x, wa, a$3);
        b$3 = dotAdd(x, wb, b$3);
      }
      if (vectors > 2) {
        const wc = v128.load(w, 64 * S + 96), wd = v128.load(w, 64 * S + 112);
        x = v128.load32_splat(INPUTS + 4 * S);
        c$0 = dotAdd(x, wc, c$0);
        d$0 = dotAdd(x, wd, d$0);
        if (rows > 1) {
          x = v128.load32_splat(INPUTS + INPUT_ROW + 4 * S);
          c$1 = dotAdd(x, wc, c$1);
          d$1 = dotAdd(x, wd, d$1);
        }
      }
    }
    if (steps == S + 1) break;
    // @end
    break;
  }
  // @unroll R 4
  if (R < rows) {
    const scale = v128.load32_splat(INPUTS + R * INPUT_ROW + LONGEST_GROUP);
    addScaled(a$R, v128.load(w), scale, out + R * outRow);
    addScaled(b$R, v128.load(w, 16), scale, out + R * outRow + 16);
    if (vectors > 2) {
      addScaled(c$R, v128.load(w, 32), scale, out + R * outRow + 32);
      addScaled(d$R, v128.load(w, 48), scale, out + R * outRow + 48);
    }
  }
  // @end
}
