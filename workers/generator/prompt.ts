/** Prepares a request's prompt for shared/generation/fit-prompt.ts: a question becomes a conversation. */
import type { Prompt } from "../../shared/contracts/generation.ts";
import { fitPrompt, promptAndRoom, type PromptModel, type ReadablePrompt } from "../../shared/generation/fit-prompt.ts";
import { renderContext } from "../../shared/lessons/context.ts";
import type { Message } from "../../shared/tokenizer/chat-template.ts";

/** A question becomes a conversation: its context as a system message, then its text. */
function readable(prompt: Prompt): ReadablePrompt {
  if (prompt.kind !== "question") return prompt;
  const system = renderContext(prompt.context);
  const user: Message = { role: "user", content: prompt.text };
  return { kind: "chat", messages: system === null ? [user] : [{ role: "system", content: system }, user] };
}

/** The conversation that is recorded with an answer; null for a prompt that is no conversation. Votes then cannot teach. */
export function conversationOf(prompt: Prompt): readonly Message[] | null {
  const read = readable(prompt);
  return read.kind === "chat" ? read.messages : null;
}

/** The question that is recorded with an answer. */
export function questionOf(prompt: Prompt): string {
  if (prompt.kind === "tokens") return "";
  return prompt.kind === "chat" ? (prompt.messages.findLast(({ role }) => role === "user")?.content ?? "") : prompt.text;
}

/** Like `fitPrompt`, for the prompt of a request. */
export function fitRequest(model: PromptModel, prompt: Prompt, space: number): number[] {
  return fitPrompt(model, readable(prompt), space);
}

/** Like `promptAndRoom`, for the prompt of a request. */
export function requestAndRoom(model: PromptModel, prompt: Prompt, maxTokens: number | null): { ids: number[]; room: number } {
  return promptAndRoom(model, readable(prompt), maxTokens);
}
