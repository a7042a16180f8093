/** The generator's stream of events, parsed, with exactly one terminal event at the end. Every door reads this stream. */
import {
  generationEventSchema,
  isTerminal,
  type GenerationEvent,
  type GenerationRequest,
  type TokenEvent,
} from "../../shared/contracts/generation.ts";
import { namedError, type ErrorName } from "../../shared/errors.ts";
import { log } from "../../shared/log.ts";

const ENDED_EARLY: GenerationEvent = { type: "error", name: "Unavailable", message: "the generation ended early: try again" };

/** Starts a generation. If it cannot begin, throws the generator's error. Later errors arrive as events. */
export async function openGeneration(env: GatewayEnv, request: GenerationRequest, id: string): Promise<AsyncGenerator<GenerationEvent>> {
  return eventsOf(await env.GENERATOR.stream(request, id), id);
}

async function* eventsOf(stream: ReadableStream<Uint8Array>, id: string): AsyncGenerator<GenerationEvent> {
  const decoder = new TextDecoder();
  let line = "";
  try {
    for await (const bytes of stream) {
      const lines = (line + decoder.decode(bytes, { stream: true })).split("\n");
      line = lines.pop() ?? "";
      for (const text of lines) {
        const event = generationEventSchema.parse(JSON.parse(text));
        yield event;
        if (isTerminal(event)) return;
      }
    }
  } catch (error) {
    log("error", `generation: ${(error as Error).message}`, { request: id });
  }
  yield ENDED_EARLY;
}

export interface Choice {
  text: string;
  tokens: TokenEvent[];
  reason: "stop" | "length";
}

/** A whole generation. */
export interface Generated {
  id: string;
  model: string;
  choices: Choice[];
  usage: { promptTokens: number; completionTokens: number };
  canBeScored: boolean;
}

/** Reads a whole generation. Throws if it ends with an error. */
export async function collect(events: AsyncGenerator<GenerationEvent>): Promise<Generated> {
  const all: Generated = { id: "", model: "", choices: [], usage: { promptTokens: 0, completionTokens: 0 }, canBeScored: false };
  const choiceOf = (index: number) => (all.choices[index] ??= { text: "", tokens: [], reason: "length" });
  for await (const event of events) {
    switch (event.type) {
      case "start":
        Object.assign(all, { id: event.id, model: event.model });
        break;
      case "text":
        choiceOf(event.choice).text += event.delta;
        break;
      case "finish":
        choiceOf(event.choice).reason = event.reason;
        break;
      case "usage":
        all.usage = { promptTokens: event.promptTokens, completionTokens: event.completionTokens };
        break;
      case "done":
        all.canBeScored = event.canBeScored;
        break;
      case "error":
        throw namedError(event.name as ErrorName, event.message);
      case "token":
        choiceOf(event.choice).tokens.push(event);
        break;
      default:
        event satisfies never;
    }
  }
  return all;
}
