/** The streamed answer of POST /generate: a `start` event, `text` events, then exactly one event `done` or `error`. */
import type { Context } from "hono";
import type { GenerateRequest } from "../../../shared/contracts/generate.ts";
import type { GenerationEvent } from "../../../shared/contracts/generation.ts";
import type { GatewayContext } from "../door.ts";
import { spendTokens } from "../client-key.ts";
import { openGeneration } from "../generation.ts";
import { serverSentEvent, streamResponse } from "../stream-response.ts";

export async function streamAnswer(c: Context<GatewayContext>, request: GenerateRequest): Promise<Response> {
  const { text, context = {}, seed = null, candidates: choices = 1, stream: _stream, format = null, ...settings } = request;
  const prompt = { kind: "question", text, context } as const;
  return streamResponse(
    written(
      await openGeneration(
        c.env,
        { ...settings, prompt, seed, choices, format, logProbabilities: null, echo: false, trim: true },
        c.var.requestId,
        (tokens) => spendTokens(c, tokens),
      ),
    ),
    "text/event-stream",
  );
}

async function* written(events: AsyncGenerator<GenerationEvent>): AsyncGenerator<string> {
  let usage = { promptTokens: 0, completionTokens: 0 };
  let finishReason = "length";
  for await (const event of events) {
    if (event.type === "start") yield serverSentEvent({ id: event.id, model: event.model }, "start");
    else if (event.type === "text") yield serverSentEvent({ delta: event.delta }, "text");
    else if (event.type === "finish") finishReason = event.reason;
    else if (event.type === "usage") usage = { promptTokens: event.promptTokens, completionTokens: event.completionTokens };
    else if (event.type === "error") yield serverSentEvent({ error: event.message }, "error");
    else if (event.type === "done") {
      const { canBeScored, isSuperseded, receipt } = event;
      yield serverSentEvent({ finishReason, usage, canBeScored, receipt, isSuperseded }, "done");
    }
  }
}
