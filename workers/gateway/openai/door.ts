/** OpenAI's protocol under /v1: models, completions, chat completions, embeddings. */
import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import type { GenerationRequest } from "../../../shared/contracts/generation.ts";
import { limit } from "../auth.ts";
import { spendTokens } from "../client-key.ts";
import { createHandlers, type Door, type GatewayContext } from "../door.ts";
import { collect, openGeneration } from "../generation.ts";
import { MODEL_NAME, requireModel } from "../model-name.ts";
import { json, refusalsIn } from "../responses.ts";
import { streamResponse } from "../stream-response.ts";
import { whenMade } from "../when-made.ts";
import { CHAT, chunks, COMPLETION, errorBody, errorSchema, wholeAnswer, type Form } from "./answers.ts";
import { embeddingsAnswer, embeddingsRequestSchema } from "./embeddings.ts";
import { chatGeneration, chatRequestSchema, completionGeneration, completionRequestSchema } from "./schema.ts";

const refusals = refusalsIn(errorSchema)(400, 401, 404, 413, 415, 422, 429, 500, 503);
const answers = {
  200: {
    content: { "application/json": { schema: z.looseObject({ id: z.string() }) }, "text/event-stream": { schema: z.string() } },
    description: "The whole answer, or its chunks",
  },
  ...refusals,
};
const modelSchema = z.object({ id: z.string(), object: z.literal("model"), created: z.int(), owned_by: z.string() });

const asking = <P extends string, S extends z.ZodType>(path: P, schema: S) =>
  createRoute({
    method: "post",
    path,
    middleware: limit("GENERATE_LIMIT"),
    request: { body: { content: { "application/json": { schema } }, required: true } },
    responses: answers,
  });

const routes = {
  models: createRoute({
    method: "get",
    path: "/v1/models",
    middleware: limit("GENERATE_LIMIT"),
    responses: { 200: json(z.object({ object: z.literal("list"), data: z.array(modelSchema) }), "The active model"), ...refusals },
  }),
  model: createRoute({
    method: "get",
    path: "/v1/models/{id}",
    middleware: limit("GENERATE_LIMIT"),
    request: { params: z.object({ id: z.string().max(256) }) },
    responses: { 200: json(modelSchema, "The active model"), ...refusals },
  }),
  chat: asking("/v1/chat/completions", chatRequestSchema),
  completion: asking("/v1/completions", completionRequestSchema),
  embeddings: createRoute({
    method: "post",
    path: "/v1/embeddings",
    middleware: limit("GENERATE_LIMIT"),
    request: { body: { content: { "application/json": { schema: embeddingsRequestSchema } }, required: true } },
    responses: { 200: json(z.looseObject({ object: z.literal("list") }), "One vector of length 1 per input"), ...refusals },
  }),
};

async function describedModel(env: GatewayEnv) {
  const { publishedAt } = await env.GENERATOR.modelInfo();
  return { id: MODEL_NAME, object: "model" as const, created: Math.floor(Date.parse(publishedAt) / 1000), owned_by: "tiffin" };
}

interface Asked {
  model: string;
  n?: number | null | undefined;
  stream?: boolean | null | undefined;
  stream_options?: { include_usage?: boolean | null | undefined } | null | undefined;
}

async function answer(c: Context<GatewayContext>, form: Form, asked: Asked, request: GenerationRequest): Promise<Response> {
  await requireModel(c.env, asked.model);
  const events = await openGeneration(c.env, request, c.var.requestId, (tokens) => spendTokens(c, tokens));
  const shown = request.choices > (asked.n ?? 1) ? (asked.n ?? 1) : null;
  const options = { hasUsage: asked.stream_options?.include_usage === true, hasLogProbabilities: request.logProbabilities !== null, shown };
  if (asked.stream !== true) return whenMade(async (hasLeft) => wholeAnswer(form, await collect(events, hasLeft), options));
  return streamResponse(chunks(form, events, options), "text/event-stream");
}

const handlers = createHandlers();
handlers.openapi(routes.models, async (c) => c.json({ object: "list" as const, data: [await describedModel(c.env)] }, 200));
handlers.openapi(routes.model, async (c) => {
  await requireModel(c.env, c.req.valid("param").id);
  return c.json(await describedModel(c.env), 200);
});
handlers.openapi(routes.chat, (c) => answer(c, CHAT, c.req.valid("json"), chatGeneration(c.req.valid("json"))));
handlers.openapi(routes.completion, (c) => answer(c, COMPLETION, c.req.valid("json"), completionGeneration(c.req.valid("json"))));
handlers.openapi(routes.embeddings, async (c) => {
  const { model, input, encoding_format, dimensions } = c.req.valid("json");
  await requireModel(c.env, model);
  const embeddings = await c.env.GENERATOR.embed(input, c.var.requestId);
  spendTokens(c, embeddings.tokens);
  const width = embeddings.vectors[0]!.length;
  if (dimensions && dimensions !== width)
    throw new HTTPException(400, { message: `dimensions: expected ${width}, the width of the model, or none` });
  return c.json({ object: "list" as const, ...embeddingsAnswer(embeddings, encoding_format) }, 200);
});

export const openaiDoor: Door = { prefix: "/v1/", isOpenToPages: true, routes: Object.values(routes), handlers, errorBody };
