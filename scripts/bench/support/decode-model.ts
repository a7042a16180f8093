/** Publishes a model with random weights for `npm run bench -- decode`. Import tensors-in-node.ts before this file. */
import * as tf from "@tensorflow/tfjs-core";
import type { ModelConfig } from "../../../shared/config.ts";
import { encodeParts } from "../../../shared/model/formats/weights-file.ts";
import { createRandom } from "../../../shared/model/random.ts";
import { weightShapes, type Weights } from "../../../shared/model/weights.ts";
import { putJson, putObject } from "../../../shared/store.ts";
import { startBackend } from "../../../shared/tensor/engine/backend.ts";
import { valuesInPlace } from "../../../shared/tensor/engine/values.ts";
import { tokenizerToJson } from "../../../shared/tokenizer/json-writer.ts";
import { FORMER_LAYOUT } from "../../../shared/tokenizer/layout.ts";

/** Weights whose products have about the size of their inputs. Uniform numbers, because normal ones take seconds. */
export function randomWeights(config: ModelConfig): Weights {
  const random = createRandom(1);
  const weights: Weights = {};
  for (const [name, shape] of weightShapes(config)) {
    const tensor = tf.fill(shape, 1);
    weights[name] = tensor;
    if (name.includes("norm")) continue;
    const scale = Math.sqrt(12 / shape[1]!);
    const values = valuesInPlace(tensor);
    for (let at = 0; at < values.length; at++) values[at] = scale * (random() - 0.5);
  }
  return weights;
}

/** Returns the hash of the model's checkpoint. Its tokenizer has the 256 bytes alone. */
export async function publishRandomModel(bucket: R2Bucket, model: ModelConfig): Promise<string> {
  await startBackend();
  const weights = randomWeights(model);
  const tokenizer = await putJson(bucket, "tokenizer", tokenizerToJson(FORMER_LAYOUT.vocabulary([])));
  const parts: string[] = [];
  for (const bytes of encodeParts(model, weights)) parts.push(await putObject(bucket, "part", bytes));
  tf.dispose(weights);
  const progress = { dataset: "0".repeat(64), round: 0, tokens: 0, lrScale: 1, outer: null, inner: [] };
  return putJson(bucket, "checkpoint", { format: 2, model, tokenizer, weights: parts, ...progress });
}
