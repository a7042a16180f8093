/** Turns a request's prompt into the token ids that the model reads. */
import type { Prompt } from "../../shared/contracts/generation.ts";
import { namedError } from "../../shared/errors.ts";
import { renderContext } from "../../shared/lessons/context.ts";
import { chatTokens, type Message } from "../../shared/tokenizer/chat-template.ts";
import type { LoadedModel } from "./model.ts";

/** The largest share of the context for an answer. The rest is kept for the prompt. */
const ANSWER_SHARE = 0.75;

/** A question as a conversation: its context as a system message, then its text. */
function conversationOf(prompt: Extract<Prompt, { kind: "question" | "chat" }>): readonly Message[] {
  if (prompt.kind === "chat") return prompt.messages;
  const system = renderContext(prompt.context);
  const user: Message = { role: "user", content: prompt.text };
  return system === null ? [user] : [{ role: "system", content: system }, user];
}

/** The question that is recorded with an answer. */
export function questionOf(prompt: Prompt): string {
  if (prompt.kind === "tokens") return "";
  return prompt.kind === "chat" ? (prompt.messages.findLast(({ role }) => role === "user")?.content ?? "") : prompt.text;
}

function idsOf({ config, tokenizer, chatTemplate }: LoadedModel, prompt: Prompt): number[] {
  if (prompt.kind === "text") return tokenizer.encode(prompt.text);
  if (prompt.kind !== "tokens") return chatTokens(tokenizer, chatTemplate.render(conversationOf(prompt), true)).ids;
  const unknown = prompt.ids.find((id) => id >= config.vocabSize);
  if (unknown !== undefined) throw namedError("InvalidInput", `prompt: expected token ids below ${config.vocabSize}, got ${unknown}`);
  return prompt.ids;
}

/**
 * The token ids of a prompt, and the most tokens that its answer may have (`room`). A prompt that is too long loses its
 * beginning, because the question is at the end. Without `maxTokens` the answer gets the rest of the context, but at least a
 * quarter of the context. Throws InvalidInput for unknown ids and for an empty prompt.
 */
export function fitPrompt(model: LoadedModel, prompt: Prompt, maxTokens: number | null): { ids: number[]; room: number } {
  const { context } = model.config;
  const all = idsOf(model, prompt);
  if (all.length === 0) throw namedError("InvalidInput", "prompt: expected at least one token, got none");
  if (maxTokens === null) {
    const ids = all.slice(-Math.max(1, Math.floor(context * ANSWER_SHARE)));
    return { ids, room: Math.max(1, context - ids.length) };
  }
  const room = Math.max(1, Math.min(maxTokens, Math.floor(context * ANSWER_SHARE)));
  return { ids: all.slice(-Math.max(1, context - room)), room };
}
