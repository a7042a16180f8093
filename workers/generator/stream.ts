/**
 * A generation as a byte stream with one JSON event per line. It ends with exactly one terminal event, unless the reader
 * leaves.
 */
import type { WrittenEvent, GenerationRequest } from "../../shared/contracts/generation.ts";
import { log } from "../../shared/log.ts";
import { failureOf } from "./failure.ts";
import { record } from "./feedback.ts";
import { startGeneration } from "./generation.ts";
import type { ModelHold } from "./model.ts";
import { conversationOf, questionOf } from "./prompt.ts";

/** The most characters of a question that are stored with its answer. */
const MAX_QUESTION = 4000;

/**
 * The events of a generation. It is recorded, so that people can vote on its first choice. Throws InvalidInput before the first
 * event.
 */
export function scoredEvents(env: GeneratorEnv, hold: ModelHold, request: GenerationRequest, id: string): AsyncGenerator<WrittenEvent> {
  return withTerminal(env, hold, request, { id, events: startGeneration(hold, request, id) });
}

async function* withTerminal(
  env: GeneratorEnv,
  hold: ModelHold,
  request: GenerationRequest,
  { id, events }: { id: string; events: AsyncGenerator<WrittenEvent> },
): AsyncGenerator<WrittenEvent> {
  const texts = Array.from({ length: request.choices }, () => "");
  try {
    for await (const event of events) {
      if (event.type === "text") texts[event.choice] += event.delta;
      yield event;
    }
    const text = questionOf(request.prompt).slice(0, MAX_QUESTION).toWellFormed();
    const kept = { prompt: conversationOf(request.prompt), candidates: texts.length > 1 ? texts : null };
    const answer = { id, text, response: texts[0]!, model: hold.model.hash, createdAt: new Date().toISOString(), ...kept };
    const canBeScored = await record(env, answer);
    yield { type: "done", canBeScored, isSuperseded: hold.isSuperseded() };
  } catch (error) {
    yield failureOf(error as Error, id);
  }
}

/**
 * Sends events as soon as they are made, so a slow reader does not hold up the isolate. After the reader leaves, at most one
 * more token is made. `finished` settles when the generation has ended.
 */
export function eventStream(events: AsyncGenerator<{ type: string }>): { readable: ReadableStream<Uint8Array>; finished: Promise<void> } {
  const encoder = new TextEncoder();
  let hasLeft = false;
  const { promise: finished, resolve } = Promise.withResolvers<void>();
  const readable = new ReadableStream({
    type: "bytes",
    start(controller) {
      const send = async () => {
        let tokens = 0;
        for await (const event of events) {
          if (hasLeft) break;
          if (event.type === "token") tokens++;
          controller.enqueue(encoder.encode(`${JSON.stringify(event)}\n`));
        }
        if (hasLeft) log("info", `generation: its reader left after ${tokens} tokens`);
        else controller.close();
      };
      void send().finally(resolve);
    },
    cancel() {
      hasLeft = true;
    },
  });
  return { readable, finished };
}
