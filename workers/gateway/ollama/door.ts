/**
 * Ollama's protocol under /api. A chat or generate request becomes one GenerationRequest, and its events become Ollama's
 * answer. The routes tags, show and version describe the active model. Every body is read as JSON, because Ollama's own
 * examples set no content type. Clients cannot pull, create or delete models here.
 */
import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { GenerationRequest } from "../../../shared/contracts/generation.ts";
import { limit } from "../auth.ts";
import { spendTokens } from "../client-key.ts";
import { createHandlers, type Door, type GatewayContext } from "../door.ts";
import { collect, openGeneration } from "../generation.ts";
import { MODEL_NAME, requireModel } from "../model-name.ts";
import { json, refusalsOf } from "../responses.ts";
import { streamResponse } from "../stream-response.ts";
import { whenMade } from "../when-made.ts";
import { CHAT, GENERATE, headOf, lines, pieces, type Form } from "./answers.ts";
import { chatSchema, generateSchema, generationOf, promptOf, showSchema } from "./schema.ts";

const VERSION = "0.1.0";
/** Declared as `string`: with the literal type, the router's types would expect plain JSON and forbid a stream. */
const NDJSON: string = "application/x-ndjson";
const BYTES_PER_PARAMETER = 4;

const refusals = refusalsOf(400, 401, 404, 413, 415, 422, 429, 500, 503);
const object = z.looseObject({});
const answers = {
  200: {
    content: { [NDJSON]: { schema: z.string() }, "application/json": { schema: object } },
    description: "The pieces of the answer; without `stream`, the whole answer",
  },
  ...refusals,
};

const post = <P extends string, S extends z.ZodType>(path: P, schema: S) =>
  createRoute({
    method: "post",
    path,
    middleware: limit("GENERATE_LIMIT"),
    request: { body: { content: { "application/json": { schema } }, required: true } },
    responses: answers,
  });

const routes = {
  version: createRoute({
    method: "get",
    path: "/api/version",
    responses: { 200: json(z.object({ version: z.string() }), "Tiffin's version") },
  }),
  tags: createRoute({
    method: "get",
    path: "/api/tags",
    middleware: limit("GENERATE_LIMIT"),
    responses: { 200: json(z.object({ models: z.array(object) }), "The active model"), ...refusals },
  }),
  show: post("/api/show", showSchema),
  generate: post("/api/generate", generateSchema),
  chat: post("/api/chat", chatSchema),
};

async function describedModel(env: GatewayEnv) {
  const { hash, publishedAt, parameters, context, layers, width, vocabSize } = await env.GENERATOR.modelInfo();
  const name = `${MODEL_NAME}:latest`;
  const details = {
    parent_model: "",
    format: "safetensors",
    family: "qwen3",
    families: ["qwen3"],
    parameter_size: `${(parameters / 1e6).toFixed(2)}M`,
    quantization_level: "F32",
  };
  const info = {
    "general.architecture": "qwen3",
    "general.parameter_count": parameters,
    "qwen3.context_length": context,
    "qwen3.block_count": layers,
    "qwen3.embedding_length": width,
    "qwen3.vocab_size": vocabSize,
  };
  const entry = { name, model: name, modified_at: publishedAt, size: parameters * BYTES_PER_PARAMETER, digest: hash, details };
  return { entry, info, details, publishedAt };
}

interface Asked {
  form: Form;
  model: string;
  stream: boolean;
  askedAt: number;
}

async function answer(c: Context<GatewayContext>, { form, model, stream, askedAt }: Asked, request: GenerationRequest | null) {
  await requireModel(c.env, model);
  // A request without a prompt only loads the model.
  if (request === null) {
    await c.env.GENERATOR.modelInfo();
    return c.json({ ...headOf(), ...form(""), done: true, done_reason: "load" }, 200);
  }
  const events = await openGeneration(c.env, request, c.var.requestId, (tokens) => spendTokens(c, tokens));
  if (stream) return streamResponse(lines(pieces(form, events, askedAt)), "application/x-ndjson");
  const startedAt = Date.now();
  return whenMade(async (hasLeft) => {
    const { choices, usage, receipt } = await collect(events, hasLeft);
    const now = Date.now();
    const { text = "", reason = "length" } = choices[0] ?? {};
    const counts = { prompt_eval_count: usage.promptTokens, eval_count: usage.completionTokens };
    const times = { total_duration: (now - askedAt) * 1e6, eval_duration: (now - startedAt) * 1e6 };
    return { ...headOf(), ...form(text), done: true, done_reason: reason, ...counts, ...times, receipt };
  });
}

const handlers = createHandlers();
handlers.openapi(routes.version, (c) => c.json({ version: VERSION }, 200));
handlers.openapi(routes.tags, async (c) => c.json({ models: [(await describedModel(c.env)).entry] }, 200));
handlers.openapi(routes.show, async (c) => {
  const { model, name } = c.req.valid("json");
  await requireModel(c.env, model ?? name ?? MODEL_NAME);
  const { info, details, publishedAt } = await describedModel(c.env);
  return c.json({ details, model_info: info, modified_at: publishedAt, capabilities: ["completion"], template: "", parameters: "" }, 200);
});
handlers.openapi(routes.generate, (c) => {
  const body = c.req.valid("json");
  const asked = { form: GENERATE, model: body.model, stream: body.stream, askedAt: Date.now() };
  return answer(c, asked, body.prompt === "" ? null : generationOf(promptOf(body), body.options, body.format));
});
handlers.openapi(routes.chat, (c) => {
  const { model, stream, messages, options, format } = c.req.valid("json");
  const chat = messages.map(({ role, content }) => ({ role, content }));
  const asked = { form: CHAT, model, stream, askedAt: Date.now() };
  return answer(c, asked, chat.length === 0 ? null : generationOf({ kind: "chat", messages: chat }, options, format));
});

export const ollamaDoor: Door = {
  prefix: "/api/",
  isOpenToPages: true,
  readsAnyType: true,
  routes: Object.values(routes),
  handlers,
  errorBody: (_, message) => ({ error: message }),
};
