/** Returns the intermediate results of the model while it reads a text: probabilities and attention (POST /explain). */
import * as tf from "@tensorflow/tfjs-core";
import { textOf } from "../../shared/bytes/text-of.ts";
import type { Explanation, ExplainRequest, Predicted } from "../../shared/contracts/explain.ts";
import { namedError } from "../../shared/errors.ts";
import { renderContext } from "../../shared/lessons/context.ts";
import { largest } from "../../shared/model/largest.ts";
import { eachLogits, observe } from "../../shared/model/observe.ts";
import { chatTokens, type Message } from "../../shared/tokenizer/chat-template.ts";
import { account } from "./account.ts";
import type { LoadedModel } from "./model.ts";
import { rounded } from "./rounded.ts";

/** The most tokens of the text with its context and answer. A person can still read an attention picture of this size. */
export const MAX_EXPLAINED_TOKENS = 256;
/** The most attention weights in one answer: about 700 KB of JSON. */
const MAX_ATTENTION_NUMBERS = 100_000;

/** Throws InvalidInput for a text that is too long, for an unknown position, and for more attention than fits into an answer. */
export function explain(model: LoadedModel, request: ExplainRequest): Explanation {
  const { weights, config, tokenizer, hash } = model;
  const ids = idsOf(model, request);
  const positions = positionsOf(ids.length, request.position, config.layers * config.heads);
  const names = new Map(tokenizer.vocabulary.added.filter(({ isText }) => !isText).map(({ id, content }) => [id, content]));
  const bytesOf = (id: number) => (names.has(id) ? new TextEncoder().encode(names.get(id)!) : tokenizer.decodeBytes([id]));
  const shown = (id: number, probability: number): Predicted => ({ id, text: textOf(bytesOf(id)), probability });
  const likeliest = (probabilities: Float64Array) =>
    largest(probabilities, request.alternatives).map((id) => shown(id, probabilities[id]!));

  account.count(ids.length);
  const { attention, hidden, layers } = observe(weights, config, ids, positions);
  try {
    const read: { probability: number | null; alternatives: Predicted[] }[] = [{ probability: null, alternatives: [] }];
    eachLogits(weights, config, hidden, (row, logits) => {
      const probabilities = softmax(logits);
      read.push({ probability: probabilities[ids[row + 1] ?? 0]!, alternatives: likeliest(probabilities) });
    });
    const afterLayers: Predicted[][] = [];
    eachLogits(weights, config, layers, (_, logits) => afterLayers.push(likeliest(softmax(logits))));
    const bytes = ids.map(bytesOf);
    let length = 0;
    const ends = bytes.map((piece) => (length += piece.length));
    const all = new Uint8Array(ends.at(-1)!);
    const tokens = ids.map((id, index) => {
      const [start, end] = [ends[index - 1] ?? 0, ends[index]!];
      all.set(bytes[index]!, start);
      const { probability, alternatives } = read[index]!;
      const text = textOf(bytes[index]!);
      return { id, text, start, end, isControl: names.has(id), probability, alternatives };
    });
    return {
      model: hash,
      read: textOf(all),
      tokens,
      next: read.at(-1)!.alternatives,
      attention: positions.map((position, index) => ({ position, weights: attention[index]!.map((heads) => heads.map(rounded)) })),
      layers: afterLayers,
    };
  } finally {
    tf.dispose([hidden, layers]);
  }
}

function idsOf({ config, tokenizer, chatTemplate }: LoadedModel, { text, context, answer, form }: ExplainRequest): number[] {
  if (form === "text" && (context !== undefined || answer !== undefined))
    throw namedError("InvalidInput", `${context === undefined ? "answer" : "context"}: expected none with form "text", got one`);
  const system = context === undefined ? null : renderContext(context);
  const messages: Message[] = [
    ...(system === null ? [] : [{ role: "system" as const, content: system }]),
    { role: "user", content: text },
    ...(answer === undefined ? [] : [{ role: "assistant" as const, content: answer }]),
  ];
  const ids = form === "text" ? tokenizer.encode(text) : chatTokens(tokenizer, chatTemplate.render(messages, answer === undefined)).ids;
  const room = Math.min(MAX_EXPLAINED_TOKENS, config.context);
  if (ids.length > room || ids.length === 0)
    throw namedError("InvalidInput", `text: expected 1..${room} tokens, with context and answer, got ${ids.length}`);
  return ids;
}

function positionsOf(length: number, position: ExplainRequest["position"], heads: number): number[] {
  if (position === undefined) return [length - 1];
  if (position === "all") {
    const numbers = (heads * length * (length + 1)) / 2;
    if (numbers > MAX_ATTENTION_NUMBERS) {
      const most = Math.floor(Math.sqrt((2 * MAX_ATTENTION_NUMBERS) / heads));
      throw namedError("InvalidInput", `position: expected one position for more than ${most} tokens, got "all" for ${length}`);
    }
    return Array.from({ length }, (_, index) => index);
  }
  if (position >= length) throw namedError("InvalidInput", `position: expected at most ${length - 1}, the last token, got ${position}`);
  return [position];
}

function softmax(logits: Float32Array): Float64Array {
  const probabilities = Float64Array.from(logits);
  const most = probabilities.reduce((max, logit) => Math.max(max, logit), -Infinity);
  let total = 0;
  for (let id = 0; id < probabilities.length; id++) total += probabilities[id] = Math.exp(probabilities[id]! - most);
  return probabilities.map((power) => power / total);
}
