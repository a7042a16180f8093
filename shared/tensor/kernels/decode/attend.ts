/**
 * Attention of one position over keys and values in pages. A page holds PAGE_POSITIONS positions of all layers: per layer the
 * keys [PAGE_POSITIONS, K D], then the values. Sequences with a common beginning share pages (PagedAttention, arXiv:2309.06180).
 * Like rows.ts this file does not use `madd`.
 */
import { plainExp4 } from "../pointwise/exp";
import { addAcross, addLanes, maxLanes } from "../simd";
import { plainDot } from "./rows";

const PAGE_POSITIONS: i32 = 16;

/** @query The positions of a page. */
export function pagePositions(): i32 {
  return PAGE_POSITIONS;
}

/** Bytes of a layer's keys in a page; its values take as many. */
// @ts-ignore: decorator
@inline
function sideBytes(width: i32): usize {
  return (<usize>PAGE_POSITIONS * width) << 2;
}

/** The keys of a position. `pages` points to the addresses of a sequence's pages. The values are sideBytes behind. */
function keysOf(pages: usize, layer: i32, position: i32, width: i32): usize {
  const page = <usize>load<u32>(pages + (<usize>(position / PAGE_POSITIONS) << 2));
  return page + <usize>(2 * layer) * sideBytes(width) + ((<usize>(position % PAGE_POSITIONS) * width) << 2);
}

/** Writes keys and values [width] of a position to its page. */
export function remember(keys: usize, values: usize, pages: usize, layer: i32, position: i32, width: i32): void {
  const target = keysOf(pages, layer, position, width);
  memory.copy(target, keys, <usize>width << 2);
  memory.copy(target + sideBytes(width), values, <usize>width << 2);
}

/**
 * q [H, D] -> out [H, D]: attention of the query at `position` over the positions up to its own, with `kv` key heads of width d.
 * `scores` has room for position + 4 numbers.
 */
export function attend(q: usize, out: usize, pages: usize, layer: i32, position: i32, heads: i32, kv: i32, d: i32, scores: usize): void {
  const width = kv * d;
  const group = heads / kv;
  const scale: f32 = <f32>1 / sqrt<f32>(<f32>d);
  const length = position + 1;
  for (let head = 0; head < heads; head++) {
    const shift = (<usize>(head / group) * d) << 2;
    for (let first = 0; first < length; first += PAGE_POSITIONS) {
      const keys = keysOf(pages, layer, first, width) + shift;
      scorePage(q, keys, scores + (<usize>first << 2), min(PAGE_POSITIONS, length - first), width, d);
    }
    const inverse = softmax(scores, length, scale);
    memory.fill(out, 0, <usize>d << 2);
    for (let first = 0; first < length; first += PAGE_POSITIONS) {
      const values = keysOf(pages, layer, first, width) + sideBytes(width) + shift;
      addPage(scores + (<usize>first << 2), values, out, min(PAGE_POSITIONS, length - first), width, d);
    }
    scaleRow(out, inverse, d);
    q += <usize>d << 2;
    out += <usize>d << 2;
  }
}

/** The products of q [d] with `count` keys. Four keys at a time; the rest of the last four are numbers without meaning. */
function scorePage(q: usize, keys: usize, scores: usize, count: i32, width: i32, d: i32): void {
  const row = <usize>width << 2;
  const whole = <usize>(d & ~3) << 2;
  if (d & 3) {
    for (let i = 0; i < count; i++) store<f32>(scores + (<usize>i << 2), plainDot(q, keys + <usize>i * row, d));
    return;
  }
  for (let i = 0; i < count; i += 4) {
    // @unroll R 4
    let s$R = f32x4.splat(0);
    const key$R = keys + R * row;
    // @end
    for (let at: usize = 0; at < whole; at += 16) {
      const value = v128.load(q + at);
      // @unroll R 4
      s$R = f32x4.add(s$R, f32x4.mul(value, v128.load(key$R + at)));
      // @end
    }
    v128.store(scores, addAcross(s$0, s$1, s$2, s$3));
    scores += 16;
    keys += 4 * row;
  }
}

/** Replaces scores [length] by exp(scale (score - largest)), and returns the inverse of their sum. */
function softmax(scores: usize, length: i32, scale: f32): f32 {
  const end = scores + (<usize>length << 2);
  for (let at = end; at < scores + (<usize>((length + 3) & ~3) << 2); at += 4) store<f32>(at, -Infinity);
  let tops = f32x4.splat(-Infinity);
  for (let at = scores; at < end; at += 16) tops = f32x4.pmax(tops, v128.load(at));
  const top = f32x4.splat(maxLanes(tops)), factor = f32x4.splat(scale);
  let sums = f32x4.splat(0);
  for (let at = scores; at < end; at += 16) {
    const power = plainExp4(f32x4.mul(f32x4.sub(v128.load(at), top), factor));
    v128.store(at, power);
    sums = f32x4.add(sums, power);
  }
  return <f32>1 / addLanes(sums);
}

/** out [d] += the sum of `count` values, each times its number in `powers`. */
function addPage(powers: usize, values: usize, out: usize, count: i32, width: i32, d: i32): void {
  const row = <usize>width << 2;
  const bytes = <usize>d << 2;
  let at: usize = 0;
  for (; at + 64 <= bytes; at += 64) {
    // @unroll R 4
    let s$R = v128.load(out + at, 16 * R);
    // @end
    let value = values + at;
    for (let i = 0; i < count; i++) {
      const power = v128.load32_splat(powers + (<usize>i << 2));
      // @unroll R 4
      s$R = f32x4.add(s$R, f32x4.mul(power, v128.load(value, 16 * R)));
      // @end
      value += row;
    }
    // @unroll R 4
    v128.store(out + at, s$R, 16 * R);
    // @end
  }
  for (; at < bytes; at += 4) {
    let sum = load<f32>(out + at);
    for (let i = 0; i < count; i++) sum += load<f32>(powers + (<usize>i << 2)) * load<f32>(values + at + <usize>i * row);
    store<f32>(out + at, sum);
  }
}

function scaleRow(x: usize, factor: f32, width: i32): void {
  for (let i = 0; i < width; i++) store<f32>(x + (<usize>i << 2), load<f32>(x + (<usize>i << 2)) * factor);
}
