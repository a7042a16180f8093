/** Answers of OpenAI's protocol: whole answers, chunks of streams, errors. */
import { z } from "zod";
import type { GenerationEvent } from "../../../shared/contracts/generation.ts";
import type { Choice, Generated } from "../generation.ts";
import { MODEL_NAME } from "../model-name.ts";
import { serverSentEvent } from "../stream-response.ts";
import { chatLogProbabilities, completionLogProbabilities, type ShownToken } from "./log-probabilities.ts";

/** How a route (chat or completions) names the parts of its answer. */
export interface Form {
  object: string;
  chunkObject: string;
  choice(text: string): object;
  delta(text: string): object;
  /** The first chunk of a choice, before its text; null if the route has no such chunk. */
  opening: object | null;
  closing: object;
  /** The probabilities of `tokens`, which come after `offset` characters of text. */
  logProbabilities(tokens: readonly ShownToken[], offset: number): object;
}

export const CHAT: Form = {
  object: "chat.completion",
  chunkObject: "chat.completion.chunk",
  choice: (content) => ({ message: { role: "assistant", content, refusal: null } }),
  delta: (content) => ({ delta: { content } }),
  opening: { delta: { role: "assistant", content: "" } },
  closing: { delta: {} },
  logProbabilities: chatLogProbabilities,
};

export const COMPLETION: Form = {
  object: "text_completion",
  chunkObject: "text_completion",
  choice: (text) => ({ text }),
  delta: (text) => ({ text }),
  opening: null,
  closing: { text: "" },
  logProbabilities: completionLogProbabilities,
};

const TYPE_OF: Readonly<Record<number, string>> = { 401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error" };

export function errorBody(status: number, message: string): { error: object } {
  const type = TYPE_OF[status] ?? (status < 500 ? "invalid_request_error" : "server_error");
  // Error messages begin with the field's name.
  const param = status < 500 ? (/^([\w.]+): /.exec(message)?.[1] ?? null) : null;
  return { error: { message, type, param, code: status === 404 && param === "model" ? "model_not_found" : null } };
}

export const errorSchema = z.object({
  error: z.object({ message: z.string(), type: z.string(), param: z.string().nullable(), code: z.string().nullable() }),
});

const usageOf = ({ promptTokens, completionTokens }: Generated["usage"]) => ({
  prompt_tokens: promptTokens,
  completion_tokens: completionTokens,
  total_tokens: promptTokens + completionTokens,
});
const secondsNow = () => Math.floor(Date.now() / 1000);
/** The fingerprint is the hash of the weights. Equal fingerprints and seeds give equal texts. */
const headOf = (object: string, id: string, hash: string, created: number) => ({
  id,
  object,
  created,
  model: MODEL_NAME,
  system_fingerprint: hash,
});

export interface Options {
  /** True if the stream ends with a usage chunk. */
  hasUsage: boolean;
  hasLogProbabilities: boolean;
  /** The number of choices that are shown, the most probable of all; null: all. */
  shown: number | null;
}

const meanOf = ({ tokens }: Choice) => tokens.reduce((sum, { logProbability }) => sum + logProbability, 0) / Math.max(1, tokens.length);

/** The choices with the highest mean log probability per token, highest first. */
function best(choices: readonly Choice[], count: number | null): readonly Choice[] {
  return count === null ? choices : choices.toSorted((a, b) => meanOf(b) - meanOf(a)).slice(0, count);
}

export function wholeAnswer(form: Form, generated: Generated, { hasLogProbabilities, shown }: Options): object {
  const { id, model, prompt, choices, usage, receipt } = generated;
  const shownChoice = ({ text, tokens, reason }: Choice, index: number) => ({
    index,
    ...form.choice(prompt.text + text),
    logprobs: hasLogProbabilities ? form.logProbabilities([...prompt.tokens, ...tokens], 0) : null,
    finish_reason: reason,
  });
  return {
    ...headOf(form.object, id, model, secondsNow()),
    choices: best(choices, shown).map(shownChoice),
    usage: usageOf(usage),
    // A field of Tiffin's own, which clients of this protocol ignore.
    receipt,
  };
}

/** What a choice has sent. */
interface Sent {
  isOpen: boolean;
  /** Tokens whose probabilities were not sent. */
  pending: ShownToken[];
  /** Characters of text. */
  offset: number;
}

/**
 * Chunks as server-sent events. The choices take turns. While the text of a token is held back, so are its probabilities; both come with the next
 * chunk. The last chunk of the first choice carries the receipt, so it waits until the answer is stored; the chunk of the usage waits behind it.
 * After an error there is no [DONE].
 */
export async function* chunks(
  form: Form,
  events: AsyncGenerator<GenerationEvent>,
  { hasUsage, hasLogProbabilities }: Options,
): AsyncGenerator<string> {
  let head: object = {};
  let prompt: Generated["prompt"] | null = null;
  const sent: Sent[] = [];
  let ending: ((receipt: string | null) => string) | null = null;
  let usage: Generated["usage"] | null = null;
  const stateOf = (index: number) => (sent[index] ??= { isOpen: false, pending: [], offset: 0 });
  const chunk = (fields: object) => serverSentEvent({ ...head, ...(hasUsage ? { usage: null } : {}), ...fields });
  const choice = (index: number, part: object, reason: string | null = null, fields: object = {}) => {
    const state = stateOf(index);
    const logprobs = hasLogProbabilities && state.pending.length > 0 ? form.logProbabilities(state.pending, state.offset) : null;
    state.pending = [];
    return chunk({ choices: [{ index, ...part, logprobs, finish_reason: reason }], ...fields });
  };
  /** Each choice begins with the prompt if it is repeated. */
  function* opened(index: number): Generator<string> {
    const state = stateOf(index);
    if (state.isOpen) return;
    state.isOpen = true;
    if (form.opening !== null) yield choice(index, form.opening);
    if (prompt === null) return;
    state.pending = [...prompt.tokens];
    yield choice(index, form.delta(prompt.text));
    state.offset = prompt.text.length;
  }
  for await (const event of events) {
    switch (event.type) {
      case "start":
        head = headOf(form.chunkObject, event.id, event.model, secondsNow());
        break;
      case "prompt":
        prompt = event;
        break;
      case "token":
        yield* opened(event.choice);
        stateOf(event.choice).pending.push(event);
        break;
      case "text":
        yield choice(event.choice, form.delta(event.delta));
        stateOf(event.choice).offset += event.delta.length;
        break;
      case "finish":
        yield* opened(event.choice);
        if (event.choice === 0) ending = (receipt) => choice(0, form.closing, event.reason, { receipt });
        else yield choice(event.choice, form.closing, event.reason);
        break;
      case "usage":
        usage = event;
        break;
      case "error":
        yield serverSentEvent(errorBody(500, event.message));
        break;
      case "done":
        if (ending !== null) yield ending(event.receipt);
        if (hasUsage && usage !== null) yield chunk({ choices: [], usage: usageOf(usage) });
        yield serverSentEvent("[DONE]");
        break;
      default:
        event satisfies never;
    }
  }
}
