/** One generation as a stream of events, from the prompt's ids to the last choice. stream.ts adds the terminal event. */
import type { WrittenEvent, GenerationRequest } from "../../shared/contracts/generation.ts";
import { createDecoder } from "../../shared/model/decoder.ts";
import { compileFormat, type Constraint } from "../../shared/generation/constraint/constraint.ts";
import { sampleTokens, type Limits, type Token } from "../../shared/generation/sample-tokens.ts";
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

async function* generate(
  hold: ModelHold,
  request: GenerationRequest,
  { id, ids, room, constrain }: { id: string; ids: number[]; room: number; constrain: (() => Constraint) | null },
): AsyncGenerator<WrittenEvent> {
  const { hash, config, tokenizer, endTokens, weights } = hold.model;
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
  const prompted = hold.track(createDecoder(weights, config));
  let completionTokens = 0;
  try {
    const logits = prompted.prefill(ids);
    account.count(ids.length);
    for (let choice = 0; choice < request.choices; choice++) {
      if (hold.hasLapsed() || request.maxTokens === 0) {
        yield { type: "finish", choice, reason: "length" };
        continue;
      }
      const decoder = hold.track(prompted.fork());
      const text = new TextAssembler(request.stop, request.trim && constrain === null);
      const tokens = sampleTokens({ decoder, logits, prompt: new Set(ids) }, request, seed + choice, {
        ...limits,
        constraint: constrain?.(),
      });
      let reason: "stop" | "length" | null = null;
      while (reason === null) {
        const next = tokens.next();
        if (next.done === true) {
          reason = next.value;
          break;
        }
        completionTokens++;
        account.count(1);
        const bytes = tokenizer.decodeBytes([next.value.id]);
        yield { type: "token", choice, ...next.value, ...(request.logProbabilities === null ? {} : described(next.value)) };
        const { delta, isStopped } = text.push(bytes);
        if (delta !== "") yield { type: "text", choice, delta };
        if (isStopped) reason = "stop";
        // Between two tokens other requests of the isolate may run, and the departure of a client is noticed.
        await scheduler.wait(0);
        if (hold.hasLapsed()) reason ??= "length";
      }
      decoder.dispose();
      const rest = text.end();
      if (rest !== "") yield { type: "text", choice, delta: rest };
      yield { type: "finish", choice, reason };
    }
  } finally {
    hold.disposeTracked();
  }
  yield { type: "usage", promptTokens: ids.length, completionTokens };
}
