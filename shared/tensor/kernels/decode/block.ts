/**
 * One call for a block of the decoder, and one for its head, over a few rows. The rows are positions of one sequence (a prompt)
 * or the next positions of several. `isPacked` says how weights are stored: float32 [out, in] as in training, or
 * quantised-product.ts. Rows of x have rowBytes(C) bytes.
 *
 * The model is model/transformer.ts; these functions do the same with fewer calls and no memory of their own.
 */
import { attend, remember } from "./attend";
import { floatProduct } from "./float-product";
import { quantisedBytes, quantisedProduct, quantiseRows } from "./quantised-product";
import { gateRow, normRow, rotateHeads, rowBytes } from "./rows";

/** @query Bytes from a row of `width` numbers to the next. */
export function decodeRowBytes(width: i32): usize {
  return rowBytes(width);
}

/**
 * The numbers of a model's `shape`, a table of int32: C, F, H, K, D, V, the norms' epsilon as float32, and whether weights are
 * packed.
 */
// @ts-ignore: decorator
@inline
function sizeAt(shape: usize, index: usize): i32 {
  return load<i32>(shape + (index << 2));
}

/** @query Bytes of scratch for `m` rows with up to `positions` positions. */
export function decodeBytes(shape: usize, m: i32, positions: i32): usize {
  const c = sizeAt(shape, 0), f = sizeAt(shape, 1), d = sizeAt(shape, 4);
  const inner = sizeAt(shape, 2) * d, outer = sizeAt(shape, 3) * d;
  const wide = max(rowBytes(2 * f), rowBytes(inner + 2 * outer));
  return <usize>m * (rowBytes(max(c, inner)) + wide + quantisedBytes(max(max(c, f), inner))) + rowBytes(positions);
}

/** out [m, n] = x [m, k] w^T, or that added to out. `quantised` holds the rows of x if weights are packed. */
// @ts-ignore: decorator
@inline
function project(isPacked: bool, x: usize, xRow: usize, quantised: usize, w: usize, out: usize, outRow: usize, m: i32, n: i32, k: i32, adds: bool): void {
  if (isPacked) quantisedProduct(quantised, w, out, outRow, m, n, k, adds);
  else floatProduct(x, xRow, w, out, outRow, m, n, k, adds);
}

/** The address in place number `index` of a table of addresses. */
// @ts-ignore: decorator
@inline
function addressAt(table: usize, index: usize): usize {
  return load<u32>(table + (index << 2));
}

/**
 * Replaces x [m, C] by the output of block number `layer`. `weights` are eleven addresses: input norm, q, k, v, q norm, k norm,
 * o, MLP norm, gate, up, down. `angles` is the table of rotations from position 0. `places` are the m positions of the rows, then
 * for each row the address of its sequence's page addresses, where its keys and values are written. `work` is scratch of
 * decodeBytes.
 */
export function decodeBlock(x: usize, shape: usize, weights: usize, angles: usize, places: usize, layer: i32, m: i32, work: usize): void {
  const inputNorm = addressAt(weights, 0), q = addressAt(weights, 1), k = addressAt(weights, 2), v = addressAt(weights, 3);
  const qNorm = addressAt(weights, 4), kNorm = addressAt(weights, 5), o = addressAt(weights, 6), mlpNorm = addressAt(weights, 7);
  const gate = addressAt(weights, 8), up = addressAt(weights, 9), down = addressAt(weights, 10);
  const c = sizeAt(shape, 0), f = sizeAt(shape, 1), heads = sizeAt(shape, 2), kv = sizeAt(shape, 3), d = sizeAt(shape, 4);
  const epsilon = load<f32>(shape, 24), isPacked = sizeAt(shape, 7) != 0;
  const positions = places, sequences = places + (<usize>m << 2);
  const inner = heads * d, outer = kv * d;
  const xRow = rowBytes(c), normedRow = rowBytes(max(c, inner));
  const qkvRow = rowBytes(inner + 2 * outer), mlpRow = rowBytes(2 * f);
  const normed = work;
  const wide = normed + <usize>m * normedRow;
  const quantised = wide + <usize>m * max(mlpRow, qkvRow);
  const scores = quantised + <usize>m * quantisedBytes(max(max(c, f), inner));
  const keys = wide + (<usize>inner << 2), values = keys + (<usize>outer << 2);

  for (let i: usize = 0; i < <usize>m; i++) normRow(x + i * xRow, inputNorm, normed + i * normedRow, c, epsilon);
  if (isPacked) quantiseRows(normed, normedRow, quantised, m, c);
  project(isPacked, normed, normedRow, quantised, q, wide, qkvRow, m, inner, c, false);
  project(isPacked, normed, normedRow, quantised, k, keys, qkvRow, m, outer, c, false);
  project(isPacked, normed, normedRow, quantised, v, values, qkvRow, m, outer, c, false);
  for (let i: usize = 0; i < <usize>m; i++) {
    const position = load<i32>(positions + (i << 2));
    const turn = angles + ((<usize>position * d) << 2);
    rotateHeads(wide + i * qkvRow, qNorm, turn, heads, d, epsilon);
    rotateHeads(keys + i * qkvRow, kNorm, turn, kv, d, epsilon);
    remember(keys + i * qkvRow, values + i * qkvRow, addressAt(sequences, i), layer, position, outer);
  }
  for (let i: usize = 0; i < <usize>m; i++) {
    const pages = addressAt(sequences, i);
    attend(wide + i * qkvRow, normed + i * normedRow, pages, layer, load<i32>(positions + (i << 2)), heads, kv, d, scores);
  }
  if (isPacked) quantiseRows(normed, normedRow, quantised, m, inner);
  project(isPacked, normed, normedRow, quantised, o, x, xRow, m, c, inner, true);

  for (let i: usize = 0; i < <usize>m; i++) normRow(x + i * xRow, mlpNorm, normed + i * normedRow, c, epsilon);
  if (isPacked) quantiseRows(normed, normedRow, quantised, m, c);
  const ups = wide + (<usize>f << 2);
  project(isPacked, normed, normedRow, quantised, gate, wide, mlpRow, m, f, c, false);
  project(isPacked, normed, normedRow, quantised, up, ups, mlpRow, m, f, c, false);
  for (let i: usize = 0; i < <usize>m; i++) gateRow(wide + i * mlpRow, ups + i * mlpRow, f);
  if (isPacked) quantiseRows(wide, mlpRow, quantised, m, f);
  project(isPacked, wide, mlpRow, quantised, down, x, xRow, m, c, f, true);
}

/** x [m, C] -> out: logits [m, V], rows of rowBytes(V). `w` is the output matrix, `work` is scratch of decodeBytes. */
export function decodeHead(x: usize, shape: usize, norm: usize, w: usize, out: usize, m: i32, work: usize): void {
  const c = sizeAt(shape, 0), v = sizeAt(shape, 5);
  const epsilon = load<f32>(shape, 24), isPacked = sizeAt(shape, 7) != 0;
  const xRow = rowBytes(c);
  const quantised = work + <usize>m * xRow;
  for (let i: usize = 0; i < <usize>m; i++) normRow(x + i * xRow, norm, work + i * xRow, c, epsilon);
  if (isPacked) quantiseRows(work, xRow, quantised, m, c);
  project(isPacked, work, xRow, quantised, w, out, rowBytes(v), m, v, c, false);
}
