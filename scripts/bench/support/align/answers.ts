/** Answers of a model to questions, as `/generate` samples them. */
import type { ModelConfig } from "../../../../shared/config.ts";
import { promptAndRoom } from "../../../../shared/generation/fit-prompt.ts";
import { sampleTokens } from "../../../../shared/generation/sample-tokens.ts";
import { createFusedModel } from "../../../../shared/model/decoding/fused-model.ts";
import { NO_PENALTIES } from "../../../../shared/model/penalties.ts";
import type { Weights } from "../../../../shared/model/weights.ts";
import type { Pair } from "../../../../shared/preferences/records.ts";
import { CHATML } from "../../../../shared/tokenizer/chat-template.ts";
import { MESSAGE_END } from "../../../../shared/tokenizer/special-tokens.ts";
import type { Tokenizer } from "../../../../shared/tokenizer/tokenizer.ts";

const SETTINGS = { ...NO_PENALTIES, temperature: 0.7, topK: 40, topP: 0.95 };
const MAX_TOKENS = 64;

/** `count` answers to each question. Answer i of a question has the seed `seed` + i. */
export function answersTo(
  { model, weights, tokenizer }: { model: ModelConfig; weights: Weights; tokenizer: Tokenizer },
  questions: readonly Pick<Pair, "messages">[],
  count: number,
  seed: number,
): string[][] {
  const decoding = createFusedModel(weights, model, "float32");
  const end = tokenizer.idOf(MESSAGE_END);
  const isEnd = (id: number) => id === end || id === tokenizer.endOfText;
  try {
    return questions.map(({ messages }) => {
      const promptModel = { config: model, tokenizer, chatTemplate: CHATML };
      const { ids, room } = promptAndRoom(promptModel, { kind: "chat", messages }, MAX_TOKENS);
      const prompted = decoding.start();
      const logits = prompted.prefill(ids).slice();
      const answers = Array.from({ length: count }, (_, index) => {
        const decoder = prompted.fork();
        const limits = { maxTokens: room, context: model.context, alternatives: 0, isEnd };
        const tokens = [...sampleTokens({ decoder, logits, prompt: new Set(ids) }, SETTINGS, seed + index, limits)];
        decoder.dispose();
        return tokenizer.decode(tokens.map(({ id }) => id)).trim();
      });
      prompted.dispose();
      return answers;
    });
  } finally {
    decoding.dispose();
  }
}
