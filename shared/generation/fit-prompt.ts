/** Turns a prompt into the token ids that the model reads, and divides the context between the prompt and its answer. */
import type { ModelConfig } from "../config.ts";
import { namedError } from "../errors.ts";
import { chatTokens, type ChatTemplate, type Message } from "../tokenizer/chat-template.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";

/** The properties of a model that a prompt needs. */
export interface PromptModel {
  config: ModelConfig;
  tokenizer: Tokenizer;
  chatTemplate: ChatTemplate;
}

export type ReadablePrompt =
  | { kind: "text"; text: string }
  | { kind: "tokens"; ids: readonly number[] }
  | { kind: "chat"; messages: readonly Message[] };

/** A prompt may always fill this share of the context, for any number of answer tokens. */
const PROMPT_SHARE = 0.75;

const isSystem = ({ role }: Message): boolean => role === "system";

/**
 * All system messages, which hold the context, and the newest other messages that fit into `space` tokens. The last message
 * always stays. `sizeOf` returns the number of tokens of a message.
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

function idsOf({ config, tokenizer, chatTemplate }: PromptModel, prompt: ReadablePrompt, space: number): readonly number[] {
  if (prompt.kind === "text") return tokenizer.encode(prompt.text);
  if (prompt.kind === "tokens") {
    const unknown = prompt.ids.find((id) => id >= config.vocabSize);
    if (unknown !== undefined) throw namedError("InvalidInput", `prompt: expected token ids below ${config.vocabSize}, got ${unknown}`);
    return prompt.ids;
  }
  const idsOfMessages = (messages: readonly Message[], opensAnswer: boolean) =>
    chatTokens(tokenizer, chatTemplate.render(messages, opensAnswer)).ids;
  const opening = idsOfMessages([], true).length;
  const kept = newestMessages(prompt.messages, space - opening, (message) => idsOfMessages([message], false).length);
  return idsOfMessages(kept, true);
}

/**
 * The token ids of a prompt, at most `space`. A prompt that is too long keeps its end, because the question is at the end. A
 * conversation loses its oldest messages first and keeps its system messages. Throws InvalidInput for unknown ids and for an
 * empty prompt.
 */
export function fitPrompt(model: PromptModel, prompt: ReadablePrompt, space: number): number[] {
  const ids = idsOf(model, prompt, space);
  if (ids.length === 0) throw namedError("InvalidInput", "prompt: expected at least one token, got none");
  return ids.slice(-Math.max(1, space));
}

/**
 * The token ids of a prompt, and the most tokens that its answer may have (`room`). `maxTokens` is only a limit and reserves
 * no space: the prompt may fill three quarters of the context, or more if `maxTokens` leaves more. Without `maxTokens` the
 * answer gets the space that the prompt leaves.
 */
export function promptAndRoom(model: PromptModel, prompt: ReadablePrompt, maxTokens: number | null): { ids: number[]; room: number } {
  const { context } = model.config;
  const ids = fitPrompt(model, prompt, Math.max(Math.floor(context * PROMPT_SHARE), context - (maxTokens ?? context)));
  return { ids, room: Math.max(1, Math.min(maxTokens ?? context, context - ids.length)) };
}
