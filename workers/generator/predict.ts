/**
 * The probabilities of whole answers: exact for given candidates, or found by a beam search for the most probable short
 * answers.
 *
 * The probability of an answer is the probability of its tokens, times the probability that any end token follows. Its tokens
 * are the tokens that the tokenizer makes of its text. The model can write the same text with other tokens; they count as
 * another answer. So the probabilities of different answers never add up to more than 1.
 */
import type { PredictRequest, Predictions } from "../../shared/contracts/predict.ts";
import { namedError } from "../../shared/errors.ts";
import type { Decoder } from "../../shared/model/decoder.ts";
import { largest } from "../../shared/model/largest.ts";
import { logTotal } from "../../shared/model/sampling.ts";
import { account } from "./account.ts";
import type { LoadedModel } from "./model.ts";
import { fitRequest } from "./prompt.ts";

/**
 * The most tokens of all candidates together. Each token costs one step of the model; candidates share the steps of a common
 * beginning.
 */
const MAX_CANDIDATE_TOKENS = 512;
/**
 * The search keeps at most BEAMS unfinished answers of at most MAX_ANSWER_TOKENS tokens. So it takes at most BEAMS x
 * MAX_ANSWER_TOKENS steps of the model.
 */
const BEAMS = 8;
const MAX_ANSWER_TOKENS = 24;
const ANSWERS_SHOWN = 5;
/** The largest share of the context for a candidate. The rest is kept for the prompt. */
const ANSWER_SHARE = 0.75;
/** The most tokens that a prediction computes after its prompt. */
export const MAX_PREDICTED_TOKENS = Math.max(MAX_CANDIDATE_TOKENS, BEAMS * MAX_ANSWER_TOKENS);

interface Scored {
  text: string;
  logProbability: number;
}

/** Throws InvalidInput if the candidates are too many or too long. */
export function predict(model: LoadedModel, request: PredictRequest): Predictions {
  const candidates = request.candidates?.map((text) => ({ text, ids: model.tokenizer.encode(text) }));
  const longest = candidates === undefined ? MAX_ANSWER_TOKENS : checkedLength(candidates);
  const { context } = model.config;
  const room = Math.min(longest, Math.floor(context * ANSWER_SHARE));
  if (candidates !== undefined && room < longest)
    throw namedError("InvalidInput", `candidates: expected texts of at most ${room} tokens, which the model has room for, got ${longest}`);
  const ids = fitRequest(model, { kind: "question", text: request.text, context: request.context ?? {} }, context - room);
  const decoder = model.decoding.start();
  try {
    const logits = decoder.prefill(ids);
    const scored = candidates === undefined ? search(model, decoder, logits, room) : score(model, decoder, logits, candidates, 0);
    // The largest possible number is booked. Candidates share steps and a search may end early, so the true number may be
    // smaller.
    account.count(
      ids.length + (candidates ?? []).reduce((sum, { ids: own }) => sum + own.length, 0) + (candidates === undefined ? BEAMS * room : 0),
    );
    return { answers: shares(scored), model: model.hash };
  } finally {
    decoder.dispose();
  }
}

interface Candidate {
  text: string;
  ids: readonly number[];
}

/** The tokens of the longest candidate. Throws InvalidInput if all candidates together have too many tokens. */
function checkedLength(candidates: readonly Candidate[]): number {
  const total = candidates.reduce((sum, { ids }) => sum + ids.length, 0);
  if (total > MAX_CANDIDATE_TOKENS)
    throw namedError("InvalidInput", `candidates: expected at most ${MAX_CANDIDATE_TOKENS} tokens in all, got ${total}`);
  return Math.max(...candidates.map(({ ids }) => ids.length));
}

/**
 * Scores candidates with the same first `depth` tokens; `logits` follow these tokens. Candidates that share further tokens
 * share the model's steps for them.
 */
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
        for (const id of largest(beam.logits, BEAMS, (token) => model.endTokens.has(token)))
          grown.push({ beam, id, logProbability: beam.logProbability + of(id) });
      }
      // Longer answers can only become less probable, so beams below the listed answers are dropped.
      const least = [...ended.values()].toSorted((a, b) => b - a)[ANSWERS_SHOWN - 1] ?? 0;
      const kept = grown
        .filter(({ logProbability }) => Math.exp(logProbability) > least)
        .toSorted((a, b) => b.logProbability - a.logProbability)
        .slice(0, length === maxTokens ? 0 : BEAMS);
      const next: Beam[] = [];
      try {
        for (const { beam, id, logProbability } of kept)
          next.push({ ids: [...beam.ids, id], logProbability, decoder: beam.decoder.fork(), logits: beam.logits });
        const results = model.decoding.stepTogether(
          next.map(({ decoder }) => decoder),
          next.map(({ ids }) => ids.at(-1)!),
        );
        for (const [index, beam] of next.entries()) beam.logits = results[index]!;
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

/** Takes logits [V]; returns a function from a token to the natural logarithm of its probability. */
function logProbabilities(logits: Float32Array): (id: number) => number {
  const total = logTotal(logits);
  return (id) => logits[id]! - total;
}

/** The log probability that the text ends here, with any end token. */
function endOf({ endTokens }: LoadedModel, logProbability: (id: number) => number): number {
  return logSumOf([...endTokens].map(logProbability));
}

function logSumOf(logs: readonly number[]): number {
  const peak = Math.max(...logs);
  return peak === -Infinity ? peak : peak + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - peak), 0));
}

/** The answers, most probable first. `probability` is an answer's share among the listed answers. */
function shares(scored: readonly Scored[]): Predictions["answers"] {
  const all = logSumOf(scored.map(({ logProbability }) => logProbability));
  return scored
    .map(({ text, logProbability }) => ({ text, probability: Math.exp(logProbability - all), raw: Math.exp(logProbability) }))
    .toSorted((a, b) => b.probability - a.probability);
}
