/**
 * The parameters of a network: names, shapes and initial values. A decoder's names are those of Qwen3 in Hugging Face. All loops over
 * parameters use the order of `weightShapes`. This order fixes the order of sums, so changing it changes results.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { ModelConfig } from "../config.ts";
import type { NetworkConfig } from "../network-config.ts";
import { isDense } from "../network-kind.ts";
import { valuesInPlace } from "../tensor/engine/values.ts";
import { denseShapes, denseStd } from "./dense/weights.ts";
import { createRandom, normal } from "./random.ts";

export type Weights = Record<string, tf.Tensor>;
export type ShapedName = [name: string, shape: number[]];

/**
 * Standard deviation of untied embeddings. The first norm rescales each embedding, so only the size of an update relative to
 * this number matters.
 */
const EMBEDDING_STD = 1;

/** The scalar head of a reward model; Hugging Face's name in models that classify sequences. */
export const SCORE = "score.weight";

const layerNames = new Map<string, string[]>();

/** The name of a layer's parameter. Names are cached, because a new string must be hashed at each look-up. */
export function layerName(layer: number, part: string): string {
  let names = layerNames.get(part);
  if (names === undefined) {
    names = [];
    layerNames.set(part, names);
  }
  return (names[layer] ??= `model.layers.${layer}.${part}.weight`);
}

/** Name and shape of every parameter, in a fixed order. Matrices are [out, in]. */
export function weightShapes(config: NetworkConfig): ShapedName[] {
  return isDense(config) ? denseShapes(config) : decoderShapes(config);
}

function decoderShapes(config: ModelConfig): ShapedName[] {
  const { vocabSize, width, mlpWidth, headWidth } = config;
  const queryWidth = config.heads * headWidth;
  const keyWidth = config.kvHeads * headWidth;
  const shapes: ShapedName[] = [["model.embed_tokens.weight", [vocabSize, width]]];
  for (let layer = 0; layer < config.layers; layer++) {
    shapes.push(
      [layerName(layer, "input_layernorm"), [width]],
      [layerName(layer, "self_attn.q_proj"), [queryWidth, width]],
      [layerName(layer, "self_attn.k_proj"), [keyWidth, width]],
      [layerName(layer, "self_attn.v_proj"), [keyWidth, width]],
      [layerName(layer, "self_attn.q_norm"), [headWidth]],
      [layerName(layer, "self_attn.k_norm"), [headWidth]],
      [layerName(layer, "self_attn.o_proj"), [width, queryWidth]],
      [layerName(layer, "post_attention_layernorm"), [width]],
      [layerName(layer, "mlp.gate_proj"), [mlpWidth, width]],
      [layerName(layer, "mlp.up_proj"), [mlpWidth, width]],
      [layerName(layer, "mlp.down_proj"), [width, mlpWidth]],
    );
  }
  shapes.push(["model.norm.weight", [width]]);
  if (config.isScored) shapes.push([SCORE, [1, width]]);
  else if (!config.tiedEmbeddings) shapes.push(["lm_head.weight", [vocabSize, width]]);
  return shapes;
}

export function parameterCount(config: NetworkConfig): number {
  return weightShapes(config).reduce((sum, [, shape]) => sum + tf.util.sizeFromShape(shape), 0);
}

/** True for the weight matrices inside blocks. Muon updates these matrices. */
export function isHiddenMatrix(name: string): boolean {
  return name.includes("_proj.");
}

/**
 * Creates initial values from a seed. In a decoder, norm scales are 1. Output projections, an untied head and a score are 0, so at
 * first every block is the identity and the loss is log V. All other values are normal. Values of a dense network: dense/weights.ts.
 * With `some`, only those parameters are created, with the same values. The caller disposes the tensors.
 */
export function initWeights(config: NetworkConfig, seed: number, some?: readonly ShapedName[]): Weights {
  const weights: Weights = {};
  const all = weightShapes(config);
  const places = new Map(all.map(([name], index) => [name, index]));
  for (const [name, shape] of some ?? all) {
    const { mean, std } = isDense(config) ? { mean: 0, std: denseStd(config, name, shape) } : decoderSpread(config, name, shape);
    const tensor = tf.fill(shape, mean);
    if (std > 0) {
      // Each parameter has its own random stream, so a new layer does not change the values of earlier parameters.
      const random = createRandom(seed + 0x9e3779b1 * (places.get(name)! + 1));
      const values = valuesInPlace(tensor);
      for (let at = 0; at < values.length; at++) values[at] = std * normal(random);
    }
    weights[name] = tensor;
  }
  return weights;
}

/** Mean and standard deviation of a parameter's initial values. */
function decoderSpread({ tiedEmbeddings }: ModelConfig, name: string, shape: readonly number[]): { mean: number; std: number } {
  if (name.includes("norm")) return { mean: 1, std: 0 };
  const isZero = name.includes("o_proj") || name.includes("down_proj") || name === "lm_head.weight" || name === SCORE;
  if (isZero) return { mean: 0, std: 0 };
  if (name === "model.embed_tokens.weight") return { mean: 0, std: tiedEmbeddings ? 0.02 : EMBEDDING_STD };
  return { mean: 0, std: 1 / Math.sqrt(shape[1]!) };
}
