/** A taught model's probabilities for questions of the grammar. One pass scores all candidates of a question. */
import * as tf from "@tensorflow/tfjs-core";
import type { ModelConfig } from "../../../../shared/config.ts";
import { renderContext } from "../../../../shared/lessons/context.ts";
import { hiddenRows, logitsOf } from "../../../../shared/model/transformer.ts";
import type { Weights } from "../../../../shared/model/weights.ts";
import { CHATML, chatTokens } from "../../../../shared/tokenizer/chat-template.ts";
import { MESSAGE_END } from "../../../../shared/tokenizer/special-tokens.ts";
import type { Tokenizer } from "../../../../shared/tokenizer/tokenizer.ts";
import type { Context } from "../../../lessons/grammar.ts";

export interface Taught {
  model: ModelConfig;
  weights: Weights;
  tokenizer: Tokenizer;
}

export interface ScoredCandidate {
  text: string;
  /** The answer's share of the probability of all candidates. */
  probability: number;
  raw: number;
  /** True if each token of the answer is the most probable next token. Greedy sampling gives this answer. */
  isGreedy: boolean;
}

export function scoreCandidates(
  { model, weights, tokenizer }: Taught,
  context: Context,
  text: string,
  candidates: readonly string[],
): ScoredCandidate[] {
  const system = renderContext(context);
  const messages = [...(system === null ? [] : [{ role: "system" as const, content: system }]), { role: "user" as const, content: text }];
  const prompt = chatTokens(tokenizer, CHATML.render(messages, true)).ids;
  const answers = candidates.map((candidate) => [...tokenizer.encode(candidate), tokenizer.idOf(MESSAGE_END)]);
  const length = prompt.length - 1 + Math.max(...answers.map((ids) => ids.length));
  const ids = new Int32Array(answers.length * length);
  for (const [index, answer] of answers.entries()) ids.set([...prompt, ...answer].slice(0, -1), index * length);
  // The rows from the prompt's last token on. Each row predicts one token of an answer.
  const rowsEach = length - prompt.length + 1;
  const [logs, best] = tf.tidy(() => {
    const hidden = hiddenRows(weights, model, tf.tensor1d(ids, "int32"), answers.length);
    const predicting = tf.slice(tf.reshape(hidden, [answers.length, length, model.width]), [0, prompt.length - 1, 0], [-1, rowsEach, -1]);
    const logits = logitsOf(weights, model, tf.reshape(predicting, [answers.length * rowsEach, model.width]));
    return [tf.logSoftmax(logits).dataSync(), tf.argMax(logits, 1).dataSync()] as const;
  });
  const scored = answers.map((answer, index) => {
    const rows = answer.map((id, at) => ({ id, row: index * rowsEach + at }));
    return {
      text: candidates[index]!,
      logProbability: rows.reduce((sum, { id, row }) => sum + logs[row * model.vocabSize + id]!, 0),
      isGreedy: rows.every(({ id, row }) => best[row] === id),
    };
  });
  const total = scored.reduce((sum, { logProbability }) => sum + Math.exp(logProbability), 0);
  return scored.map(({ text: candidate, logProbability, isGreedy }) => {
    const raw = Math.exp(logProbability);
    return { text: candidate, probability: raw / total, raw, isGreedy };
  });
}
