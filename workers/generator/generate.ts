/** From a prompt to ranked candidates: one prefill, a branch per candidate, the best by what people thought of it. */
import { createDecoder, type Decoder } from "../../shared/model/decoder.ts";
import { createRandom } from "../../shared/model/random.ts";
import { sampleToken } from "../../shared/model/sampling.ts";
import { namedError } from "../../shared/errors.ts";
import { activeModel, type LoadedModel } from "./model.ts";

export interface GenerateInput {
  text: string;
  /** Anything that bears on the answer (time, place, topic); read before the text, one "key: value" line each. */
  context?: Record<string, string>;
  temperature: number;
  topK: number;
  topP: number;
  maxTokens: number;
  candidates: number;
  seed?: number;
  stop: string[];
}

export interface Candidate {
  response: string;
  /** Mean score that people gave the same text before; 0 if nobody did. */
  reward: number;
  /** Mean per token, nats. */
  logProbability: number;
}

export interface GenerateOutput {
  response: string;
  id: string;
  model: string;
  candidates: Candidate[];
  usage: { promptTokens: number; completionTokens: number };
}

export async function generate(env: GeneratorEnv, input: GenerateInput): Promise<GenerateOutput> {
  const model = await activeModel(env);
  const lines = Object.entries(input.context ?? {}).map(([key, value]) => `${key}: ${value}\n`);
  const prompt = model.tokenizer.encode(`${lines.join("")}${input.text}\n`.toWellFormed());
  // The end of a long prompt is what is being asked; a quarter of the context at least is left for the answer.
  const room = Math.max(1, Math.min(input.maxTokens, Math.floor(model.config.context * 0.75)));
  const ids = prompt.slice(-Math.max(1, model.config.context - room));
  const prompted = createDecoder(model.weights, model.config);
  const logits = prompted.prefill(ids);
  const seed = input.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]!;
  const sampled: { response: string; logProbability: number; tokens: number }[] = [];
  try {
    for (let index = 0; index < input.candidates; index++) sampled.push(sampleOne(model, prompted, logits, input, room, seed + index));
  } finally {
    prompted.dispose();
  }
  const tallies = await talliesOf(
    env,
    sampled.map(({ response }) => response),
  );
  const candidates = sampled
    .map(({ response, logProbability }, index) => ({ response, logProbability, ...tallies[index]! }))
    .toSorted((a, b) => standing(b) - standing(a) || b.logProbability - a.logProbability)
    .map(({ response, reward, logProbability }) => ({ response, reward, logProbability }));
  const { response } = candidates[0]!;
  const id = crypto.randomUUID();
  await record(env, { id, text: input.text, response, model: model.hash, createdAt: new Date().toISOString() });
  const completionTokens = sampled.reduce((sum, { tokens }) => sum + tokens, 0);
  return { response, id, model: model.hash, candidates, usage: { promptTokens: ids.length, completionTokens } };
}

/** What people gave each text. It only orders the candidates: while it cannot be had, all of them count as unrated. */
async function talliesOf(env: GeneratorEnv, responses: string[]): Promise<{ reward: number; votes: number }[]> {
  try {
    return await env.FEEDBACK.rewards(responses);
  } catch (error) {
    // oxlint-disable-next-line no-console -- the only trace of an order that people had no part in
    console.error(`rewards: ${(error as Error).message}; all candidates count as unrated`);
    return responses.map(() => ({ reward: 0, votes: 0 }));
  }
}

/** Keeps an answer. Throws Unavailable if that fails: every answer has an id that can be scored, and this one's could not. */
async function record(env: GeneratorEnv, answer: Parameters<GeneratorEnv["FEEDBACK"]["record"]>[0]): Promise<void> {
  try {
    await env.FEEDBACK.record(answer);
  } catch (error) {
    // oxlint-disable-next-line no-console -- the caller learns nothing of the cause, so the log must
    console.error(`record: ${(error as Error).message}; the answer is not given`);
    throw namedError("Unavailable", "the answer could not be kept, so it could not be scored, and is not given: try again in a minute");
  }
}

/**
 * What candidates are ranked by: the mean score as if one more person had given the middle of 0..1. Ranked by the reward alone, a
 * text that nobody knows would stand with the worst (both 0), and a bad vote could move nothing.
 */
function standing({ reward, votes }: { reward: number; votes: number }): number {
  return (reward * votes + 0.5) / (votes + 1);
}

function sampleOne(model: LoadedModel, prompted: Decoder, promptLogits: Float32Array, input: GenerateInput, room: number, seed: number) {
  const { config, tokenizer } = model;
  const random = createRandom(seed);
  const ids: number[] = [];
  const decoder = prompted.fork();
  let logits = promptLogits;
  let logProbability = 0;
  let text = "";
  try {
    while (ids.length < room) {
      const sample = sampleToken(logits, input, random);
      if (sample.id >= tokenizer.endOfText) break;
      ids.push(sample.id);
      logProbability += sample.logProbability;
      // Streaming mode holds back the bytes of a character that is not complete, so the text never ends in half of one.
      text = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true }).decode(tokenizer.decodeBytes(ids), { stream: true });
      const stop = input.stop.map((word) => text.indexOf(word)).filter((at) => at >= 0);
      if (stop.length > 0) {
        text = text.slice(0, Math.min(...stop));
        break;
      }
      if (decoder.length >= config.context) break;
      logits = decoder.step(sample.id);
    }
  } finally {
    decoder.dispose();
  }
  return { response: text.trim(), logProbability: ids.length === 0 ? 0 : logProbability / ids.length, tokens: ids.length };
}
