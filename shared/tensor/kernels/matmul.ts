/**
 * matMul, blocked for the caches: a block of B of at most 256 x 384 is packed (it stays in L2), and strips of six rows of A
 * walk its panels (tile.ts). One to three rows (decoding) stream B instead (matvec.ts). All strides describe the operands, so every transposition is one routine.
 */
import { packPanels, panelsBytes } from "./pack";
import { multiply, TILE_BYTES } from "./tile";
import { dotRows, sumRows } from "./matvec";

export const BLOCK_K: i32 = 256;
export const BLOCK_N: i32 = 384;
/** Fewer rows than this do not repay packing B. */
const PACKED_ROWS: i32 = 4;

/** Bytes of scratch that matMul needs for a product [m, k] x [k, n] of any size. */
export function packBytes(n: i32, k: i32): usize {
  return panelsBytes(min(k, BLOCK_K), min(n, BLOCK_N)) + TILE_BYTES;
}

/**
 * out [batch, m, n] = from + A [batch, m, k] B [batch, k, n], where `from` lies as out does and may be out, or is 0 for none. In each of the batch, which aStep and bStep floats part, element
 * (i, x) of A lies at a + 4 (i aRow + x aCol), likewise B; out is dense. `pack` is scratch of packBytes.
 */
export function matMul(
  a: usize, b: usize, from: usize, out: usize, batch: i32, m: i32, n: i32, k: i32, aStep: i32, aRow: i32, aCol: i32,
  bStep: i32, bRow: i32, bCol: i32, pack: usize,
): void {
  const bytes = (<usize>m * n) << 2;
  if (k == 0) {
    if (from != 0) memory.copy(out, from, <usize>batch * bytes);
    else memory.fill(out, 0, <usize>batch * bytes);
    return;
  }
  for (let i = 0; i < batch; i++) {
    const left = a + ((<usize>i * aStep) << 2);
    const right = b + ((<usize>i * bStep) << 2);
    const to = out + <usize>i * bytes;
    const addend = from != 0 ? from + <usize>i * bytes : 0;
    // A single column is a single row of the transposed product, whose elements lie in the same order.
    if (n == 1) product(right, left, addend, to, 1, m, k, <usize>bCol << 2, <usize>bRow << 2, <usize>aCol << 2, <usize>aRow << 2, pack);
    else product(left, right, addend, to, m, n, k, <usize>aRow << 2, <usize>aCol << 2, <usize>bRow << 2, <usize>bCol << 2, pack);
  }
}

/** One product; strides in bytes. */
function product(
  a: usize, b: usize, from: usize, out: usize, m: i32, n: i32, k: i32, aRow: usize, aCol: usize, bRow: usize, bCol: usize, pack: usize,
): void {
  if (from == 0 && m < PACKED_ROWS && (aCol == 4 || k == 1)) {
    if (bRow == 4 || k == 1) return dotRows(a, aRow, b, bCol, out, <usize>n << 2, m, n, k);
    if (bCol == 4) return sumRows(a, aRow, b, bRow, out, m, n, k);
  }
  blocked(a, b, from, out, m, n, k, aRow, aCol, bRow, bCol, pack);
}

function blocked(
  a: usize, b: usize, from: usize, out: usize, m: i32, n: i32, k: i32, aRow: usize, aCol: usize, bRow: usize, bCol: usize, pack: usize,
): void {
  const edge = pack + panelsBytes(min(k, BLOCK_K), min(n, BLOCK_N));
  // Blocks of equal size: 257 is not 256 and 1.
  const blocks = (k + BLOCK_K - 1) / BLOCK_K;
  const depth = (k + blocks - 1) / blocks;
  for (let j = 0; j < n; j += BLOCK_N) {
    const width = min(BLOCK_N, n - j);
    for (let x = 0; x < k; x += depth) {
      const inner = min(depth, k - x);
      packPanels(b + <usize>x * bRow + <usize>j * bCol, inner, width, bRow, bCol, pack);
      const target = out + (<usize>j << 2);
      const addend = x > 0 ? target : from != 0 ? from + (<usize>j << 2) : 0;
      multiply(a + <usize>x * aCol, aRow, aCol, pack, <usize>inner << 5, addend, target, <usize>n << 2, m, width, inner, edge);
    }
  }
}
