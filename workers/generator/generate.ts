/** Answers a question: one choice per candidate, ranked by votes. The best candidate is recorded, so that it can be scored. */
import { DEFAULT_CANDIDATES, type Answer, type Candidate, type GenerateRequest } from "../../shared/contracts/generate.ts";
import { record, talliesOf } from "./feedback.ts";
import { startGeneration } from "./generation.ts";
import type { ModelHold } from "./model.ts";
import { rank } from "./rank.ts";

interface Sampled extends Omit<Candidate, "reward"> {
  tokens: number;
}

export async function answer(env: GeneratorEnv, hold: ModelHold, request: GenerateRequest, id: string): Promise<Answer> {
  const { text, context = {}, candidates: choices = DEFAULT_CANDIDATES, seed = null, format = null } = request;
  const prompt = { kind: "question", text, context } as const;
  const events = startGeneration(hold, { ...request, prompt, choices, seed, format, logProbabilities: null, trim: true }, id);
  const sampled: Sampled[] = Array.from({ length: choices }, () => ({ response: "", logProbability: 0, tokens: 0 }));
  const usage = { promptTokens: 0, completionTokens: 0 };
  for await (const event of events) {
    if (event.type === "usage") Object.assign(usage, { promptTokens: event.promptTokens, completionTokens: event.completionTokens });
    if (event.type === "text") sampled[event.choice]!.response += event.delta;
    if (event.type === "token") {
      const candidate = sampled[event.choice]!;
      candidate.tokens++;
      // `logProbability` is the mean of the tokens so far.
      candidate.logProbability += (event.logProbability - candidate.logProbability) / candidate.tokens;
    }
  }
  const tallies = await talliesOf(
    env,
    sampled.map(({ response }) => response),
    id,
  );
  const candidates = rank(sampled, tallies);
  const { response } = candidates[0]!;
  const model = hold.model.hash;
  const canBeScored = await record(env, { id, text, response, model, createdAt: new Date().toISOString() });
  return { response, id, canBeScored, model, candidates, usage };
}
