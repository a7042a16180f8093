/**
 * The probabilities of whole answers: of given ones exactly, or of the most probable short ones by a beam search.
 *
 * An answer's probability is that of its tokens and then of any token that ends a text. Its tokens are those that the
 * tokenizer makes of it; a model can also spell a text otherwise, which counts as another answer. So probabilities of
 * different answers never add up to more than 1.
 */
import type { PredictRequest, Predictions } from "../../shared/contracts/predict.ts";
import { namedError } from "../../shared/errors.ts";
import { createDecoder, type Decoder } from "../../shared/model/decoder.ts";
import type { LoadedModel } from "./model.ts";
import { fitPrompt } from "./prompt.ts";

/** Tokens of all candidates: each costs a step of the model unless it shares it with another candidate. */
const MAX_CANDIDATE_TOKENS = 512;
/** The search keeps this many unfinished answers, for as many tokens: at most their product of steps. */
const BEAMS = 8;
const MAX_ANSWER_TOKENS = 24;
const ANSWERS_SHOWN = 5;

interface Scored {
  text: string;
  logProbability: number;
}

/** Throws InvalidInput for more or longer candidates than can be scored. */
export function predict(model: LoadedModel, request: PredictRequest): Predictions {
  const candidates = request.candidates?.map((text) => ({ text, ids: model.tokenizer.encode(text) }));
  const longest = candidates === undefined ? MAX_ANSWER_TOKENS : checkedLength(candidates);
  const { ids, room } = fitPrompt(model, { kind: "question", text: request.text, context: request.context ?? {} }, longest);
  if (candidates !== undefined && room < longest)
    throw namedError("InvalidInput", `candidates: expected texts of at most ${room} tokens, which the model has room for, got ${longest}`);
  const decoder = createDecoder(model.weights, model.config);
  try {
    const logits = decoder.prefill(ids);
    const scored = candidates === undefined ? search(model, decoder, logits, room) : score(model, decoder, logits, candidates, 0);
    return { answers: shares(scored), model: model.hash };
  } finally {
    decoder.dispose();
  }
}

interface Candidate {
  text: string;
  ids: readonly number[];
}

/** Tokens of the longest candidate. Throws InvalidInput when there is too much to score. */
function checkedLength(candidates: readonly Candidate[]): number {
  const total = candidates.reduce((sum, { ids }) => sum + ids.length, 0);
  if (total > MAX_CANDIDATE_TOKENS)
    throw namedError("InvalidInput", `candidates: expected at most ${MAX_CANDIDATE_TOKENS} tokens in all, got ${total}`);
  return Math.max(...candidates.map(({ ids }) => ids.length));
}

/** Candidates that agree in their first `depth` tokens, which `logits` come after. What they share further on is read once. */
function score(model: LoadedModel, decoder: Decoder, logits: Float32Array, candidates: readonly Candidate[], depth: number): Scored[] {
  const logProbability = logProbabilities(logits);
  const groups = new Map<number, Candidate[]>();
  const scored: Scored[] = [];
  for (const candidate of candidates) {
    const id = candidate.ids[depth];
    if (id === undefined) scored.push({ text: candidate.text, logProbability: endOf(model, logProbability) });
    else groups.set(id, [...(groups.get(id) ?? []), candidate]);
  }
  for (const [id, group] of groups) {
    const next = decoder.fork();
    try {
      for (const below of score(model, next, next.step(id), group, depth + 1))
        scored.push({ ...below, logProbability: below.logProbability + logProbability(id) });
    } finally {
      next.dispose();
    }
  }
  return scored;
}

interface Beam {
  ids: readonly number[];
  logProbability: number;
  decoder: Decoder;
  logits: Float32Array;
}

/** The most probable answers that end within `maxTokens`. */
function search(model: LoadedModel, prompted: Decoder, first: Float32Array, maxTokens: number): Scored[] {
  const ended = new Map<string, number>();
  let beams: Beam[] = [{ ids: [], logProbability: 0, decoder: prompted.fork(), logits: first }];
  try {
    for (let length = 0; length <= maxTokens && beams.length > 0; length++) {
      const grown: { beam: Beam; id: number; logProbability: number }[] = [];
      for (const beam of beams) {
        const of = logProbabilities(beam.logits);
        const text = model.tokenizer.decode(beam.ids).trim();
        ended.set(text, (ended.get(text) ?? 0) + Math.exp(beam.logProbability + endOf(model, of)));
        for (const id of mostProbable(beam.logits, model.endTokens)) grown.push({ beam, id, logProbability: beam.logProbability + of(id) });
      }
      // What is left can only become less probable than it is.
      const least = [...ended.values()].toSorted((a, b) => b - a)[ANSWERS_SHOWN - 1] ?? 0;
      const kept = grown
        .filter(({ logProbability }) => Math.exp(logProbability) > least)
        .toSorted((a, b) => b.logProbability - a.logProbability)
        .slice(0, length === maxTokens ? 0 : BEAMS);
      const next: Beam[] = [];
      try {
        for (const { beam, id, logProbability } of kept) {
          const decoder = beam.decoder.fork();
          next.push({ ids: [...beam.ids, id], logProbability, decoder, logits: beam.logits });
          next.at(-1)!.logits = decoder.step(id);
        }
      } finally {
        for (const { decoder } of beams) decoder.dispose();
        beams = next;
      }
    }
  } finally {
    for (const { decoder } of beams) decoder.dispose();
  }
  return [...ended]
    .map(([text, probability]) => ({ text, logProbability: Math.log(probability) }))
    .toSorted((a, b) => b.logProbability - a.logProbability)
    .slice(0, ANSWERS_SHOWN);
}

/** logits [V] -> the natural logarithm of a token's probability */
function logProbabilities(logits: Float32Array): (id: number) => number {
  const peak = logits.reduce((most, logit) => Math.max(most, logit), -Infinity);
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit - peak), 0);
  const shift = peak + Math.log(total);
  return (id) => logits[id]! - shift;
}

/** Of a text that ends here, by whichever token. */
function endOf({ endTokens }: LoadedModel, logProbability: (id: number) => number): number {
  return logSumOf([...endTokens].map(logProbability));
}

/** The ids of the BEAMS most probable tokens that do not end a text. */
function mostProbable(logits: Float32Array, endTokens: ReadonlySet<number>): number[] {
  const best: number[] = [];
  for (const [id, logit] of logits.entries()) {
    if (endTokens.has(id) || (best.length === BEAMS && logit <= logits[best.at(-1)!]!)) continue;
    const at = best.findIndex((other) => logits[other]! < logit);
    best.splice(at === -1 ? best.length : at, 0, id);
    best.length = Math.min(best.length, BEAMS);
  }
  return best;
}

function logSumOf(logs: readonly number[]): number {
  const peak = Math.max(...logs);
  return peak === -Infinity ? peak : peak + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - peak), 0));
}

/** Most probable first, with each answer's share of all that are listed. */
function shares(scored: readonly Scored[]): Predictions["answers"] {
  const all = logSumOf(scored.map(({ logProbability }) => logProbability));
  return scored
    .map(({ text, logProbability }) => ({ text, probability: Math.exp(logProbability - all), raw: Math.exp(logProbability) }))
    .toSorted((a, b) => b.probability - a.probability);
}
