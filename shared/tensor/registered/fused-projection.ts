/**
 * Products of one matrix with two or three others, for example a block's input with its Q, K and V weights
 * (kernels/gemm/fused-projection.ts).
 */
import type * as tf from "@tensorflow/tfjs-core";
import type { KernelContext } from "../engine/kernel-context.ts";
import { NONE, type Pointer } from "../engine/wasm-runtime.ts";

type Inputs = Readonly<Record<string, tf.TensorInfo>>;

/** The two or three other matrices. */
const othersOf = ({ a, b, c }: Inputs): tf.TensorInfo[] => (c === undefined ? [a!, b!] : [a!, b!, c]);
/** The columns of three matrices; 0 if there is no third matrix. */
const threeSizes = (sizes: readonly number[]): [number, number, number] => [sizes[0]!, sizes[1]!, sizes[2] ?? 0];

export function registerFusedProjection({ kernels, offset, scratch, register }: KernelContext): void {
  const threePointers = (infos: readonly tf.TensorInfo[]): [Pointer, Pointer, Pointer] => {
    const [first, second, third] = infos;
    return [offset(first!), offset(second!), third === undefined ? NONE : offset(third)];
  };

  // x [N, C], weights [O, C] -> x weight^T [N, O] for each weight
  register("FusedProjection", ({ inputs, output }) => {
    const [x, weights] = [inputs["x"]!, othersOf(inputs)];
    const [rows, width] = x.shape as [number, number];
    const odd = weights.find(({ shape }) => shape[1] !== width);
    if (odd !== undefined) throw new Error(`FusedProjection: expected weights [O, ${width}], got [${odd.shape}]`);
    const columns = threeSizes(weights.map(({ shape }) => shape[0]!));
    const outs = weights.map(({ shape }) => output([rows, shape[0]!]));
    const pack = scratch(kernels.fusedProjectionBytes(rows, width, ...columns));
    kernels.fusedProjection(offset(x), ...threePointers(weights), ...threePointers(outs), rows, width, ...columns, pack);
    return outs;
  });

  // x [N, C], weight [C] and inverse [N] of its norm, several dy [N, O] -> dy^T norm(x) [O, C] for each dy
  register("FusedWeightGrads", ({ inputs, output }) => {
    const [x, dys] = [inputs["x"]!, othersOf(inputs)];
    const { weight, inverse } = inputs as Record<"weight" | "inverse", tf.TensorInfo>;
    const [rows, width] = x.shape as [number, number];
    const odd = dys.find(({ shape }) => shape[0] !== rows);
    if (odd !== undefined) throw new Error(`FusedWeightGrads: expected each dy [${rows}, O], got [${odd.shape}]`);
    const columns = threeSizes(dys.map(({ shape }) => shape[1]!));
    const outs = dys.map(({ shape }) => output([shape[1]!, width]));
    const pack = scratch(kernels.fusedWeightGradsBytes(width, rows, ...columns));
    const norm = [offset(inverse), offset(weight)] as const;
    kernels.fusedWeightGrads(offset(x), ...norm, ...threePointers(dys), ...threePointers(outs), width, rows, ...columns, pack);
    return outs;
  });
}
