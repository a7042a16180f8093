/** An answer: one prefill, a continuation per candidate, the best of them by votes, kept so that it can be scored. */
import type { Answer, Candidate, GenerateRequest } from "../../shared/contracts/generate.ts";
import { createDecoder } from "../../shared/model/decoder.ts";
import { sampleTokens, type Limits, type Prefill } from "./engine.ts";
import { record, talliesOf } from "./feedback.ts";
import { activeModel, type LoadedModel } from "./model.ts";
import { fitPrompt, renderPrompt } from "./prompt.ts";
import { rank } from "./rank.ts";
import { textOf } from "./text.ts";

interface Sampled extends Omit<Candidate, "reward"> {
  tokens: number;
}

export async function generate(env: GeneratorEnv, request: GenerateRequest): Promise<Answer> {
  const model = await activeModel(env);
  const { ids, room } = fitPrompt(model, renderPrompt(request), request.maxTokens);
  const sampled = sampleAll(model, ids, room, request);
  const candidates = rank(
    sampled,
    await talliesOf(
      env,
      sampled.map(({ response }) => response),
    ),
  );
  const { response } = candidates[0]!;
  const id = crypto.randomUUID();
  const canBeScored = await record(env, { id, text: request.text, response, model: model.hash, createdAt: new Date().toISOString() });
  const completionTokens = sampled.reduce((sum, { tokens }) => sum + tokens, 0);
  return { response, id, canBeScored, model: model.hash, candidates, usage: { promptTokens: ids.length, completionTokens } };
}

/** Every candidate from one reading of the prompt. */
function sampleAll(model: LoadedModel, ids: number[], maxTokens: number, request: GenerateRequest): Sampled[] {
  const { config, tokenizer, weights } = model;
  const decoder = createDecoder(weights, config);
  const limits: Limits = { maxTokens, context: config.context, isEnd: (id) => id >= tokenizer.endOfText };
  const seed = request.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]!;
  try {
    const prefill: Prefill = { decoder, logits: decoder.prefill(ids) };
    return Array.from({ length: request.candidates }, (_, index) => sampleOne(model, prefill, limits, request, seed + index));
  } finally {
    decoder.dispose();
  }
}

function sampleOne({ tokenizer }: LoadedModel, prefill: Prefill, limits: Limits, request: GenerateRequest, seed: number): Sampled {
  const ids: number[] = [];
  let logProbability = 0;
  let text = "";
  for (const sample of sampleTokens(prefill, request, seed, limits)) {
    ids.push(sample.id);
    logProbability += sample.logProbability;
    const read = textOf(tokenizer, ids, request.stop);
    text = read.text;
    if (read.isStopped) break;
  }
  return { response: text.trim(), logProbability: ids.length === 0 ? 0 : logProbability / ids.length, tokens: ids.length };
}
