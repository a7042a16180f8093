/** The prompt as the model has read it, for answers that repeat it, with the probability that the model gave each of its tokens. */
import * as tf from "@tensorflow/tfjs-core";
import type { PromptToken } from "../../shared/contracts/generation.ts";
import { eachLogits } from "../../shared/model/observe.ts";
import { logTotal, mostProbableTokens } from "../../shared/model/sampling.ts";
import { hiddenRows } from "../../shared/model/transformer.ts";
import type { LoadedModel } from "./model.ts";

/** `alternatives` null: without probabilities, which cost a second pass over the prompt. The first token has none. */
export function echoOf({ weights, config, tokenizer }: LoadedModel, ids: readonly number[], alternatives: number | null) {
  const bytesOf = (id: number) => [...tokenizer.decodeBytes([id])];
  const tokens: PromptToken[] = ids.map((id) => ({ id, logProbability: null, bytes: bytesOf(id), alternatives: [] }));
  if (alternatives !== null) {
    const hidden = tf.tidy(() => hiddenRows(weights, config, tf.tensor1d(ids.slice(), "int32"), 1));
    try {
      eachLogits(weights, config, hidden, (row, logits) => {
        const token = tokens[row + 1];
        if (token === undefined) return;
        token.logProbability = logits[token.id]! - logTotal(logits);
        token.alternatives = mostProbableTokens(logits, alternatives).map(({ id, logProbability }) => ({
          id,
          logProbability,
          bytes: bytesOf(id),
        }));
      });
    } finally {
      hidden.dispose();
    }
  }
  return { text: tokenizer.decode(ids), tokens };
}
