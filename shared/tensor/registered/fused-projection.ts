/** Products of one matrix with two or three others; see kernels/shared-product.ts. */
import type * as tf from "@tensorflow/tfjs-core";
import type { KernelContext } from "../engine/kernel-context.ts";

type Three = [number, number, number];
type Inputs = Readonly<Record<string, tf.TensorInfo>>;

/** Of a third that is not there the kernels read nothing. */
const three = (numbers: readonly number[]): Three => [numbers[0]!, numbers[1]!, numbers[2] ?? 0];
/** The others than x. */
const others = ({ a, b, c }: Inputs): tf.TensorInfo[] => (c === undefined ? [a!, b!] : [a!, b!, c]);

export function registerFusedProjection({ kernels, offset, scratch, register }: KernelContext): void {
  const places = (infos: readonly tf.TensorInfo[]): Three => three(infos.map(offset));

  // x [N, C], weights [O, C] -> x weight^T [N, O] each
  register("Project", ({ inputs, output }) => {
    const [x, weights] = [inputs["x"]!, others(inputs)];
    const [rows, width] = x.shape as [number, number];
    const odd = weights.find(({ shape }) => shape[1] !== width);
    if (odd !== undefined) throw new Error(`Project: expected weights [O, ${width}], got [${odd.shape}]`);
    const columns = three(weights.map(({ shape }) => shape[0]!));
    const outs = weights.map(({ shape }) => output([rows, shape[0]!]));
    const pack = scratch(kernels.projectBytes(rows, width, ...columns));
    kernels.project(offset(x), ...places(weights), ...places(outs), rows, width, ...columns, pack);
    return outs;
  });
  // x [N, C], weight [C] and inverse [N] of its norm, each dy [N, O] -> dy^T norm(x) [O, C] each
  register("WeightGradients", ({ inputs, output }) => {
    const [x, dys] = [inputs["x"]!, others(inputs)];
    const { weight, inverse } = inputs as Record<"weight" | "inverse", tf.TensorInfo>;
    const [rows, width] = x.shape as [number, number];
    const odd = dys.find(({ shape }) => shape[0] !== rows);
    if (odd !== undefined) throw new Error(`WeightGradients: expected each dy [${rows}, O], got [${odd.shape}]`);
    const columns = three(dys.map(({ shape }) => shape[1]!));
    const outs = dys.map(({ shape }) => output([shape[1]!, width]));
    const pack = scratch(kernels.weightGradientsBytes(width, rows, ...columns));
    const norm = [offset(inverse), offset(weight)] as const;
    kernels.weightGradients(offset(x), ...norm, ...places(dys), ...places(outs), width, rows, ...columns, pack);
    return outs;
  });
}
