/**
 * `npm run bench -- precision [--text FILE] [--steps N] [--windows N] [--json]`: how much loss packed weights cost. Trains the
 * shape of `shakespeare-char` for some steps in this process, and computes the validation loss of the same weights with each
 * precision of the decoder that serves, and with the plain decoder.
 */
import * as tf from "@tensorflow/tfjs-core";
import "./support/tensors-in-node.ts";
import { presetOf } from "../../shared/config.ts";
import type { Decoder } from "../../shared/model/decoder.ts";
import type { Print } from "../cli/runner.ts";
import { charTokens } from "./support/char-dataset.ts";
import { lossOf } from "./support/interchange/comparisons.ts";
import { readText, SHAKESPEARE } from "./support/shakespeare.ts";

export const FLAGS = { text: SHAKESPEARE, steps: 600, windows: 100 };

/** The mean loss in nats of each window's tokens after its first, read token by token. */
function meanLoss(start: () => Decoder, tokens: Uint16Array, context: number, windows: number): number {
  let loss = 0;
  for (let window = 0; window < windows; window++) {
    const first = Math.floor((window * (tokens.length - context - 1)) / windows);
    const decoder = start();
    for (let at = 0; at < context; at++) {
      loss += lossOf(decoder.step(tokens[first + at]!), tokens[first + at + 1]!);
    }
    decoder.dispose();
  }
  return loss / (windows * context);
}

export async function run({ text, steps, windows }: typeof FLAGS, print: Print): Promise<Record<string, unknown>> {
  const { startBackend } = await import("../../shared/tensor/engine/backend.ts");
  const { trainedWeights } = await import("./support/trained-weights.ts");
  const { createDecoder } = await import("../../shared/model/decoder.ts");
  const { createFusedModel } = await import("../../shared/model/decoding/fused-model.ts");
  const { PRECISIONS } = await import("../../shared/model/decoding/fused-weights.ts");
  await startBackend();
  const { vocabSize, train, val } = charTokens(readText(text));
  const { model: shape, training } = presetOf("shakespeare-char");
  const model = { ...shape, vocabSize };
  const weights = trainedWeights(model, training, steps, train, (step, loss) => print(`step ${step}: loss ${loss.toFixed(3)}`));
  const losses: Record<string, number> = { reference: meanLoss(() => createDecoder(weights, model), val, model.context, windows) };
  for (const precision of PRECISIONS) {
    const decoding = createFusedModel(weights, model, precision);
    losses[precision] = meanLoss(() => decoding.start(), val, model.context, windows);
    decoding.dispose();
  }
  tf.dispose(weights);
  const increase = Object.fromEntries(Object.entries(losses).map(([name, loss]) => [name, loss / losses["reference"]! - 1]));
  for (const [name, loss] of Object.entries(losses)) print(`${name}: ${loss.toFixed(5)} nats, ${(100 * increase[name]!).toFixed(3)} %`);
  return { steps, tokens: windows * model.context, losses, increase };
}
