/**
 * One generation as a stream of events, from the prompt's ids to the last choice. The choices are decoded together, a token of
 * each at a time. stream.ts adds the terminal event.
 */
import type { WrittenEvent, GenerationRequest } from "../../shared/contracts/generation.ts";
import type { Decoder } from "../../shared/model/decoder.ts";
import { compileFormat, type Constraint } from "../../shared/generation/constraint/constraint.ts";
import { createSampler, type Limits, type Sampler, type Token } from "../../shared/generation/sample-tokens.ts";
import { echoOf } from "./echo.ts";
import { account } from "./account.ts";
import type { ModelHold } from "./model.ts";
import { requestAndRoom } from "./prompt.ts";
import { TextAssembler } from "../../shared/generation/text-assembler.ts";

/** Throws InvalidInput for an invalid request, always before the first event. */
export function startGeneration(hold: ModelHold, request: GenerationRequest, id: string): AsyncGenerator<WrittenEvent> {
  const { ids, room } = requestAndRoom(hold.model, request.prompt, request.maxTokens);
  const constrain = request.format === null ? null : compileFormat(request.format, hold.model.tokenizer);
  return generate(hold, request, { id, ids, room, constrain });
}

/** A continuation that has not ended. */
interface Open {
  choice: number;
  decoder: Decoder;
  logits: Float32Array;
  sampler: Sampler;
  text: TextAssembler;
  /** The last token. */
  id: number;
}

/** The end of a choice: the rest of its text, and why it ends. */
function* finish({ choice, text }: Open, reason: "stop" | "length"): Generator<WrittenEvent, void> {
  const rest = text.end();
  if (rest !== "") yield { type: "text", choice, delta: rest };
  yield { type: "finish", choice, reason };
}

async function* generate(
  hold: ModelHold,
  request: GenerationRequest,
  { id, ids, room, constrain }: { id: string; ids: number[]; room: number; constrain: (() => Constraint) | null },
): AsyncGenerator<WrittenEvent> {
  const { hash, config, tokenizer, endTokens, decoding } = hold.model;
  yield { type: "start", id, model: hash, promptTokens: ids.length };
  if (request.echo) yield { type: "prompt", ...echoOf(hold.model, ids, request.logProbabilities) };
  const alternatives = request.logProbabilities ?? 0;
  const limits: Limits = { maxTokens: room, context: config.context, alternatives, isEnd: (token) => endTokens.has(token) };
  const seed = request.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]!;
  const bytesOf = (token: number) => [...tokenizer.decodeBytes([token])];
  const described = ({ id: token, alternatives: others }: Token) => ({
    bytes: bytesOf(token),
    alternatives: others.map((other) => ({ ...other, bytes: bytesOf(other.id) })),
  });
  let completionTokens = 0;

  /** The next token of a choice. Returns why the choice ends, or null. */
  function* advance(open: Open): Generator<WrittenEvent, "stop" | "length" | null> {
    const { choice, sampler, text, decoder } = open;
    const token = sampler.sample(open.logits);
    if (token === null) return "stop";
    open.id = token.id;
    completionTokens++;
    account.count(1);
    yield { type: "token", choice, ...token, ...(request.logProbabilities === null ? {} : described(token)) };
    const { delta, isStopped } = text.push(tokenizer.decodeBytes([token.id]));
    if (delta !== "") yield { type: "text", choice, delta };
    if (isStopped) return "stop";
    return hold.hasLapsed() ? "length" : sampler.endAt(decoder.length);
  }

  const prompted = hold.track(decoding.start());
  try {
    const logits = prompted.prefill(ids);
    account.count(ids.length);
    const prompt = new Set(ids);
    const wanted = request.maxTokens === 0 ? 0 : request.choices;
    for (let choice = wanted; choice < request.choices; choice++) yield { type: "finish", choice, reason: "length" };
    let opened: Open[] = Array.from({ length: wanted }, (_, choice) => ({
      choice,
      decoder: hold.track(prompted.fork()),
      logits,
      sampler: createSampler(prompt, request, seed + choice, { ...limits, constraint: constrain?.() }),
      text: new TextAssembler(request.stop, request.trim && constrain === null),
      id: 0,
    }));
    while (opened.length > 0) {
      const going: Open[] = [];
      for (const open of opened) {
        const reason = yield* advance(open);
        if (reason === null) {
          going.push(open);
          continue;
        }
        open.decoder.dispose();
        yield* finish(open, reason);
      }
      opened = going;
      // Between two tokens other requests of the isolate may run, and the departure of a client is noticed.
      await scheduler.wait(0);
      if (opened.length === 0) break;
      // After the wait the hold may have lapsed, and another request may have freed its decoders.
      if (hold.hasLapsed()) {
        for (const open of opened) yield* finish(open, "length");
        break;
      }
      const results = decoding.stepTogether(
        opened.map(({ decoder }) => decoder),
        opened.map((open) => open.id),
      );
      for (const [index, open] of opened.entries()) open.logits = results[index]!;
    }
  } finally {
    hold.disposeTracked();
  }
  yield { type: "usage", promptTokens: ids.length, completionTokens };
}
