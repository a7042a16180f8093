/** Answers a question: one choice per candidate, ranked by votes. The best candidate is recorded, so that it can be scored. */
import { DEFAULT_CANDIDATES, type Candidate, type GenerateRequest } from "../../shared/contracts/generate.ts";
import type { AnswerEvent, Prompt, WrittenEvent } from "../../shared/contracts/generation.ts";
import { failureOf } from "./failure.ts";
import { record, talliesOf } from "./feedback.ts";
import { startGeneration } from "./generation.ts";
import type { ModelHold } from "./model.ts";
import { conversationOf } from "./prompt.ts";
import { rank } from "./rank.ts";

interface Sampled extends Omit<Candidate, "reward"> {
  tokens: number;
}

/**
 * The events of all candidates, then the answer or an error. The candidates' events let the stream notice between two tokens
 * that its reader has left. Throws InvalidInput before the first event.
 */
export function answerEvents(
  env: GeneratorEnv,
  hold: ModelHold,
  request: GenerateRequest,
  id: string,
): AsyncGenerator<WrittenEvent | AnswerEvent> {
  const { text, context = {}, candidates: choices = DEFAULT_CANDIDATES, seed = null, format = null } = request;
  const prompt = { kind: "question", text, context } as const;
  const events = startGeneration(hold, { ...request, prompt, choices, seed, format, logProbabilities: null, echo: false, trim: true }, id);
  return ranked(env, hold, { prompt, choices, id }, events);
}

async function* ranked(
  env: GeneratorEnv,
  hold: ModelHold,
  { prompt, choices, id }: { prompt: Prompt & { kind: "question" }; choices: number; id: string },
  events: AsyncGenerator<WrittenEvent>,
): AsyncGenerator<WrittenEvent | AnswerEvent> {
  const sampled: Sampled[] = Array.from({ length: choices }, () => ({ response: "", logProbability: 0, tokens: 0 }));
  const usage = { promptTokens: 0, completionTokens: 0 };
  try {
    for await (const event of events) {
      if (event.type === "usage") Object.assign(usage, { promptTokens: event.promptTokens, completionTokens: event.completionTokens });
      if (event.type === "text") sampled[event.choice]!.response += event.delta;
      if (event.type === "token") {
        const candidate = sampled[event.choice]!;
        candidate.tokens++;
        // `logProbability` is the mean of the tokens so far.
        candidate.logProbability += (event.logProbability - candidate.logProbability) / candidate.tokens;
      }
      yield event;
    }
    const tallies = await talliesOf(
      env,
      sampled.map(({ response }) => response),
      id,
    );
    const candidates = rank(sampled, tallies);
    const { text } = prompt;
    const { response } = candidates[0]!;
    const model = hold.model.hash;
    const texts = candidates.map((candidate) => candidate.response);
    const kept = { prompt: conversationOf(prompt), candidates: texts.length > 1 ? texts : null };
    const canBeScored = await record(env, { id, text, response, model, createdAt: new Date().toISOString(), ...kept });
    // The gateway signs the receipt.
    yield { type: "answer", answer: { response, id, canBeScored, receipt: null, model, candidates, usage } };
  } catch (error) {
    yield failureOf(error as Error, id);
  }
}
