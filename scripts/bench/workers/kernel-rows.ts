/**
 * The rows of `npm run bench -- kernels`, one per kernel and shape. The shapes come from a training step of 12 x 64 tokens
 * (width 128, MLP 352, vocabulary 65, four heads of 32), from Muon on its weights, and from decoding one token.
 */
import type { KernelExports } from "../../../shared/tensor/engine/kernel-exports.ts";
import { NONE, pointer } from "../../../shared/tensor/engine/wasm-runtime.ts";

export interface Product {
  m: number;
  n: number;
  k: number;
  transposeA: boolean;
  transposeB: boolean;
}

export interface Row {
  kernel: string;
  shape: string;
  transposition?: string;
  /** The number of operations of a run, or the number of bytes that it moves. */
  flops?: number;
  bytes?: number;
  /** Writes the data that `run` reads besides its operands. */
  prepare?(kernels: KernelExports): void;
  run(kernels: KernelExports): void;
  /** The shape of a matMul, which is also measured through tfjs. */
  matMul?: Product;
  /** True if the row is a matMul of training. The bench prints the worst share of the peak among these rows. */
  isTraining?: boolean;
}

const MIB = 2 ** 20;
/** Addresses of the operands in the bench's memory, with room for 8 MiB each. */
const X = pointer(MIB);
const Y = pointer(9 * MIB);
const Z = pointer(17 * MIB);
const OUT = pointer(25 * MIB);
const OUT2 = pointer(33 * MIB);
const OUT3 = pointer(41 * MIB);
const OUT4 = pointer(49 * MIB);
const OUT5 = pointer(57 * MIB);
export const SCRATCH = pointer(65 * MIB);

const TOKENS = 768;

function product(name: string, m: number, n: number, k: number, letters: "NN" | "NT" | "TN", isTraining = true): Row {
  const [transposeA, transposeB] = [letters[0] === "T", letters[1] === "T"];
  const [aRow, aCol] = transposeA ? [1, m] : [k, 1];
  const [bRow, bCol] = transposeB ? [1, k] : [n, 1];
  return {
    kernel: `matMul ${name}`,
    shape: `[${m}, ${k}] x [${k}, ${n}]`,
    transposition: letters,
    flops: 2 * m * n * k,
    matMul: { m, n, k, transposeA, transposeB },
    isTraining,
    run: ({ matMul }) => matMul(X, Y, NONE, OUT, 1, m, n, k, 0, aRow, aCol, 0, bRow, bCol, SCRATCH),
  };
}

/**
 * The products of one linear layer of `outputs` x `inputs` in training: forward, the gradient of its input, the gradient of
 * its weight.
 */
function linear(name: string, outputs: number, inputs: number): Row[] {
  return [
    product(`${name} forward`, TOKENS, outputs, inputs, "NT"),
    product(`${name} dx`, TOKENS, inputs, outputs, "NN"),
    product(`${name} dweight`, outputs, inputs, TOKENS, "TN"),
  ];
}

/**
 * Causal attention of arbitrary queries and keys, so the scores have no known bound. Masked scores are not counted as
 * operations.
 */
function attention(b: number, t: number, s: number, heads: number, kvHeads: number, d: number): Row[] {
  const shape = `[${b}, ${t}, ${heads}, ${d}] over [${b}, ${s}, ${kvHeads}, ${d}]`;
  const flops = 4 * b * heads * d * (t * s - (t * (t - 1)) / 2);
  const sizes = [b, t, s, heads, kvHeads, d, 1 / Math.sqrt(d)] as const;
  const forward = (kernels: KernelExports): void => kernels.attention(X, Y, Z, OUT, OUT2, ...sizes, false, SCRATCH);
  const backward = (kernels: KernelExports): void =>
    kernels.attentionBackward(X, Y, Z, OUT, OUT2, X, OUT3, OUT4, OUT5, ...sizes, false, SCRATCH);
  if (t === 1) return [{ kernel: "attention", shape, flops, run: forward }];
  return [
    { kernel: "attention", shape, flops, run: forward },
    // The backward pass has five products instead of two. It reads the output and the statistics of a forward pass.
    { kernel: "attention backward", shape, flops: 2.5 * flops, prepare: forward, run: backward },
  ];
}

export const ROWS: readonly Row[] = [
  ...linear("attention", 128, 128),
  ...linear("MLP up", 352, 128),
  ...linear("MLP down", 128, 352),
  ...linear("head", 65, 128),
  product("Muon Gram", 128, 128, 128, "NT"),
  product("Muon Gram", 128, 128, 352, "NT"),
  product("Muon polynomial", 128, 128, 128, "NN"),
  product("Muon polynomial", 128, 352, 128, "NN"),
  product("decode", 1, 128, 128, "NT", false),
  product("decode", 1, 352, 128, "NT", false),
  product("decode", 1, 128, 352, "NT", false),
  product("decode", 1, 768, 288, "NT", false),
  product("decode", 3, 352, 128, "NT", false),
  ...attention(12, 64, 64, 4, 4, 32),
  ...attention(4, 256, 256, 4, 2, 32),
  ...attention(1, 1, 256, 4, 4, 32),
  {
    kernel: "rmsNorm",
    shape: `[${TOKENS}, 128]`,
    bytes: 2 * TOKENS * 128 * 4,
    run: ({ rmsNorm }) => rmsNorm(X, Y, OUT, OUT2, TOKENS, 128, 1e-6),
  },
  { kernel: "swiglu", shape: `[${TOKENS}, 352]`, bytes: 3 * TOKENS * 352 * 4, run: ({ swiglu }) => swiglu(X, Y, OUT, TOKENS * 352) },
];
