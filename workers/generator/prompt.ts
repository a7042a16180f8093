/** Turns a request's prompt into the token ids that the model reads. */
import type { Prompt } from "../../shared/contracts/generation.ts";
import { namedError } from "../../shared/errors.ts";
import { renderContext } from "../../shared/lessons/context.ts";
import { chatTokens, type Message } from "../../shared/tokenizer/chat-template.ts";
import type { LoadedModel } from "./model.ts";

/** What a prompt needs of the model. */
type PromptModel = Pick<LoadedModel, "config" | "tokenizer" | "chatTemplate">;

/** Share of the context that a prompt may fill, however many tokens the answer may have. */
const PROMPT_SHARE = 0.75;

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

const isSystem = ({ role }: Message): boolean => role === "system";

/**
 * The newest messages that fit together with all system messages, which hold the context. The last message always stays.
 * `sizeOf` gives a message's tokens.
 */
function newestMessages(messages: readonly Message[], space: number, sizeOf: (message: Message) => number): readonly Message[] {
  let left = space - messages.filter(isSystem).reduce((sum, message) => sum + sizeOf(message), 0);
  let isFull = false;
  return messages
    .toReversed()
    .filter((message, age) => {
      if (isSystem(message)) return true;
      left -= sizeOf(message);
      isFull ||= left < 0;
      return age === 0 || !isFull;
    })
    .toReversed();
}

function idsOf({ config, tokenizer, chatTemplate }: PromptModel, prompt: Prompt, space: number): number[] {
  if (prompt.kind === "text") return tokenizer.encode(prompt.text);
  if (prompt.kind === "tokens") {
    const unknown = prompt.ids.find((id) => id >= config.vocabSize);
    if (unknown !== undefined) throw namedError("InvalidInput", `prompt: expected token ids below ${config.vocabSize}, got ${unknown}`);
    return prompt.ids;
  }
  const idsOfMessages = (messages: readonly Message[], opensAnswer: boolean) =>
    chatTokens(tokenizer, chatTemplate.render(messages, opensAnswer)).ids;
  const opening = idsOfMessages([], true).length;
  const kept = newestMessages(conversationOf(prompt), space - opening, (message) => idsOfMessages([message], false).length);
  return idsOfMessages(kept, true);
}

/**
 * The last tokens of a prompt, at most `space` of them: the end of a prompt holds the question. A conversation loses its oldest
 * messages first and keeps its system messages. Throws InvalidInput for unknown ids and for a prompt without tokens.
 */
export function fitPrompt(model: PromptModel, prompt: Prompt, space: number): number[] {
  const ids = idsOf(model, prompt, space);
  if (ids.length === 0) throw namedError("InvalidInput", "prompt: expected at least one token, got none");
  return ids.slice(-Math.max(1, space));
}

/**
 * The ids of a prompt, and how many tokens the answer may have. `maxTokens` is a bound and reserves nothing: the prompt may fill
 * three quarters of the context, or all that such an answer leaves. Without a bound the answer gets what the prompt leaves.
 */
export function promptAndRoom(model: PromptModel, prompt: Prompt, maxTokens: number | null): { ids: number[]; room: number } {
  const { context } = model.config;
  const ids = fitPrompt(model, prompt, Math.max(Math.floor(context * PROMPT_SHARE), context - (maxTokens ?? context)));
  return { ids, room: Math.max(1, Math.min(maxTokens ?? context, context - ids.length)) };
}
