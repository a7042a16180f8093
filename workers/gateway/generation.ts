/** The generator's stream of events, parsed, with exactly one terminal event at the end. Every door reads this stream. */
import type { Answer, GenerateRequest } from "../../shared/contracts/generate.ts";
import {
  answerEventSchema,
  generationEventSchema,
  isTerminal,
  type GenerationEvent,
  type GenerationRequest,
  type PromptToken,
  type TokenEvent,
} from "../../shared/contracts/generation.ts";
import { namedError, type ErrorName } from "../../shared/errors.ts";
import { log } from "../../shared/log.ts";
import { createReceipt } from "../../shared/receipts.ts";

const ENDED_EARLY = { type: "error", name: "Unavailable", message: "the generation ended early: try again" } as const;

/**
 * Starts a generation. If it cannot begin, throws the generator's error. Later errors arrive as events. The generation ends early
 * when the reader ends its loop. `spend` is told the tokens that were read and made.
 */
export async function openGeneration(
  env: GatewayEnv,
  request: GenerationRequest,
  id: string,
  spend: (tokens: number) => void = () => undefined,
): Promise<AsyncGenerator<GenerationEvent>> {
  return withReceipt(env, request, eventsOf(await env.GENERATOR.stream(request, id), id, spend));
}

const secretOf = (env: GatewayEnv) => env.OPERATOR_TOKEN ?? "";

/** Adds the receipt of the first choice to the last event. */
async function* withReceipt(
  env: GatewayEnv,
  { prompt }: GenerationRequest,
  events: AsyncGenerator<GenerationEvent>,
): AsyncGenerator<GenerationEvent> {
  let [id, model, output] = ["", "", ""];
  for await (const event of events) {
    if (event.type === "start") ({ id, model } = event);
    if (event.type === "text" && event.choice === 0) output += event.delta;
    if (event.type !== "done" || !event.canBeScored) yield event;
    else yield { ...event, receipt: await createReceipt(secretOf(env), { id, prompt: JSON.stringify(prompt), output, model }, Date.now()) };
  }
}

/** The whole lines of a stream. The stream is cancelled when the reader ends its loop. */
async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let line = "";
  for await (const bytes of stream) {
    const lines = (line + decoder.decode(bytes, { stream: true })).split("\n");
    line = lines.pop() ?? "";
    yield* lines;
  }
}

/**
 * Returns the best candidate for a question. Throws the generator's error if there is one. Throws Unavailable if the stream ends
 * without an answer, or if the client has left (`hasLeft` is true) when a line arrives.
 */
export async function askQuestion(env: GatewayEnv, request: GenerateRequest, id: string, hasLeft: () => boolean): Promise<Answer> {
  for await (const line of linesOf(await env.GENERATOR.generate(request, id))) {
    if (hasLeft()) break;
    const { data: end } = answerEventSchema.safeParse(JSON.parse(line));
    if (end?.type === "answer") return signed(env, request, end.answer);
    if (end?.type === "error") throw namedError(end.name as ErrorName, end.message);
  }
  throw namedError("Unavailable", ENDED_EARLY.message);
}

async function signed(env: GatewayEnv, { text, context = {} }: GenerateRequest, answer: Answer): Promise<Answer> {
  if (!answer.canBeScored) return answer;
  const { id, model, response: output } = answer;
  const prompt = JSON.stringify({ kind: "question", text, context });
  return { ...answer, receipt: await createReceipt(secretOf(env), { id, prompt, output, model }, Date.now()) };
}

async function* eventsOf(stream: ReadableStream<Uint8Array>, id: string, spend: (tokens: number) => void): AsyncGenerator<GenerationEvent> {
  let tokens = 0;
  try {
    for await (const line of linesOf(stream)) {
      const event = generationEventSchema.parse(JSON.parse(line));
      if (event.type === "start") tokens += event.promptTokens;
      if (event.type === "token") tokens++;
      yield event;
      if (isTerminal(event)) return;
    }
  } catch (error) {
    log("error", `generation: ${(error as Error).message}`, { request: id });
  } finally {
    // Also of a generation that its reader has left.
    spend(tokens);
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
  /** The prompt of a request with `echo`. */
  prompt: { text: string; tokens: PromptToken[] };
  choices: Choice[];
  usage: { promptTokens: number; completionTokens: number };
  /** Lets its owner vote on the first choice; null if nobody can. */
  receipt: string | null;
}

/** Reads a whole generation. Throws if it ends with an error, and Unavailable once `hasLeft`, which ends the generation. */
export async function collect(events: AsyncGenerator<GenerationEvent>, hasLeft: () => boolean = () => false): Promise<Generated> {
  const all: Generated = {
    id: "",
    model: "",
    prompt: { text: "", tokens: [] },
    choices: [],
    usage: { promptTokens: 0, completionTokens: 0 },
    receipt: null,
  };
  const choiceOf = (index: number) => (all.choices[index] ??= { text: "", tokens: [], reason: "length" });
  for await (const event of events) {
    if (hasLeft()) throw namedError("Unavailable", "the client has left");
    switch (event.type) {
      case "start":
        Object.assign(all, { id: event.id, model: event.model });
        break;
      case "prompt":
        all.prompt = { text: event.text, tokens: event.tokens };
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
        all.receipt = event.receipt;
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
