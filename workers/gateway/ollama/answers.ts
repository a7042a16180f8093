/** Answers of Ollama's protocol: one line of JSON per piece of text, then a line with the counts. */
import type { GenerationEvent } from "../../../shared/contracts/generation.ts";
import { MODEL_NAME } from "../model-name.ts";
import { jsonLine } from "../stream-response.ts";

/** Puts the text of an answer into the field that the route uses: chat or generate. */
export type Form = (text: string) => object;
export const CHAT: Form = (content) => ({ message: { role: "assistant", content } });
export const GENERATE: Form = (response) => ({ response });

export interface OllamaLine {
  done: boolean;
  [field: string]: unknown;
}

const NANOSECONDS = 1e6;

export const headOf = () => ({ model: `${MODEL_NAME}:latest`, created_at: new Date().toISOString() });

/**
 * The pieces of an answer. The last piece has `done: true` or is an error. Durations are measured in the gateway, from
 * `askedAt`.
 */
export async function* pieces(
  form: Form,
  events: AsyncGenerator<GenerationEvent>,
  askedAt: number,
): AsyncGenerator<OllamaLine | { error: string }> {
  let startedAt = askedAt;
  let reason = "length";
  let counts = {};
  for await (const event of events) {
    switch (event.type) {
      case "start":
        startedAt = Date.now();
        break;
      case "text":
        yield { ...headOf(), ...form(event.delta), done: false };
        break;
      case "finish":
        ({ reason } = event);
        break;
      case "usage":
        counts = { prompt_eval_count: event.promptTokens, eval_count: event.completionTokens };
        break;
      case "error":
        yield { error: event.message };
        break;
      case "done": {
        const now = Date.now();
        const times = { total_duration: (now - askedAt) * NANOSECONDS, eval_duration: (now - startedAt) * NANOSECONDS };
        yield { ...headOf(), ...form(""), done: true, done_reason: reason, ...counts, ...times, receipt: event.receipt };
        break;
      }
      case "prompt":
      case "token":
        break;
      default:
        event satisfies never;
    }
  }
}

export async function* lines(parts: AsyncGenerator<object>): AsyncGenerator<string> {
  for await (const part of parts) yield jsonLine(part);
}
