/** The routes of the API with what they take and give; the OpenAPI document is made from them. */
import { createRoute, z } from "@hono/zod-openapi";
import { hashSchema } from "../../../shared/artifacts.ts";
import { supervisionOverrides, trainingOverrides } from "../../../shared/config.ts";
import * as answers from "./answers.ts";

const json = <T extends z.ZodType>(schema: T, description: string) => ({ content: { "application/json": { schema } }, description });
const body = <T extends z.ZodType>(schema: T) => ({ content: { "application/json": { schema } }, required: true });
/** One that may be left out, as all of its fields may. */
const optionalBody = <T extends z.ZodType>(schema: T) => ({ ...body(schema), required: false });
const refusal = json(z.object({ error: z.string() }), "What was expected, what came");
const refusalsOf = <S extends number>(...statuses: S[]) =>
  Object.fromEntries(statuses.map((status) => [status, refusal])) as Record<S, typeof refusal>;
const operator = [{ operator: [] }];
const idParams = z.object({ id: z.string().min(1).max(128) });

export const generateBody = z.strictObject({
  text: z.string().min(1).max(4000),
  context: z.record(z.string().max(64), z.string().max(256)).optional(),
  temperature: z.number().min(0).max(2).default(0.7),
  topK: z.int().min(1).max(65_536).default(40),
  topP: z.number().gt(0).max(1).default(0.95),
  maxTokens: z.int().min(1).max(256).default(64),
  candidates: z.int().min(1).max(8).default(3),
  seed: z.int().min(0).max(0xffff_ffff).optional(),
  stop: z.array(z.string().min(1).max(64)).max(4).default([]),
});

export const feedbackBody = z.strictObject({
  id: z.string().min(1).max(64),
  score: z.number().min(0).max(1),
  comment: z.string().max(1000).optional(),
});

export const sourceBody = z.strictObject({
  url: z.url().max(1000),
  scope: z.enum(["host", "path"]).default("path"),
  pageBudget: z.int().min(1).max(10_000).default(500),
  revisitSeconds: z.int().min(60).max(31_536_000).default(86_400),
});

export const crawlBody = z.strictObject({ source: z.string().max(64).optional() });

export const runBody = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/)
    .optional(),
  preset: z.string().max(64).optional(),
  tokens: z.int().positive().max(10_000_000_000).optional(),
  vocabSize: z.int().min(259).max(65_536).optional(),
  seed: z.int().min(0).max(0xffff_ffff).optional(),
  ...trainingOverrides,
  supervision: supervisionOverrides.optional(),
  sources: z.array(z.string().max(64)).max(100).optional(),
  dataset: hashSchema.optional(),
});

export const branchBody = z.strictObject({
  name: runBody.shape.name,
  checkpoint: hashSchema.optional(),
  tokens: runBody.shape.tokens,
  lrScale: z.number().positive().max(100).optional(),
  supervision: runBody.shape.supervision,
});

/** What the checks before every operator route and the named errors of the Workers may answer. */
const refusals = refusalsOf(400, 401, 404, 409, 413, 415, 422, 500);
const ok = <T extends z.ZodType>(schema: T, description: string) => ({ 200: json(schema, description), ...refusals });

const onRun = <V extends string, D extends string>(verb: V, done: D, description: string) =>
  createRoute({
    method: "post",
    path: `/runs/{id}/${verb}` as const,
    security: operator,
    request: { params: idParams },
    responses: ok(z.object({ [done]: z.string() } as Record<D, z.ZodString>), description),
  });

export const routes = {
  about: createRoute({ method: "get", path: "/", responses: { 200: json(answers.about, "What this is") } }),
  health: createRoute({
    method: "get",
    path: "/health",
    responses: { 200: json(answers.healthState, "All parts are up"), 503: json(answers.healthState, "Some part is down") },
  }),
  generate: createRoute({
    method: "post",
    path: "/generate",
    request: { body: body(generateBody) },
    responses: {
      200: json(answers.answer, "The best candidate"),
      ...refusalsOf(400, 413, 415, 429, 500, 503),
    },
  }),
  feedback: createRoute({
    method: "post",
    path: "/feedback",
    request: { body: body(feedbackBody) },
    responses: {
      200: json(answers.storedScore, "Stored"),
      ...refusalsOf(400, 404, 413, 415, 422, 429, 500),
    },
  }),
  addSource: createRoute({
    method: "post",
    path: "/sources",
    security: operator,
    request: { body: body(sourceBody) },
    responses: ok(answers.source, "The source"),
  }),
  listSources: createRoute({ method: "get", path: "/sources", security: operator, responses: ok(z.array(answers.source), "All sources") }),
  startCrawls: createRoute({
    method: "post",
    path: "/crawls",
    security: operator,
    request: { body: optionalBody(crawlBody) },
    responses: ok(z.array(answers.crawl), "The crawls that run now"),
  }),
  getCrawl: createRoute({
    method: "get",
    path: "/crawls/{id}",
    security: operator,
    request: { params: idParams },
    responses: ok(answers.crawl, "A crawl's progress"),
  }),
  removeDocument: createRoute({
    method: "delete",
    path: "/documents",
    security: operator,
    request: { query: z.strictObject({ url: z.url().max(1000) }) },
    responses: ok(answers.removal, "How many documents were removed"),
  }),
  startRun: createRoute({
    method: "post",
    path: "/runs",
    security: operator,
    request: { body: optionalBody(runBody) },
    responses: ok(answers.startedRun, "The run's id"),
  }),
  listRuns: createRoute({ method: "get", path: "/runs", security: operator, responses: ok(z.array(answers.run), "All runs") }),
  getRun: createRoute({
    method: "get",
    path: "/runs/{id}",
    security: operator,
    request: { params: idParams },
    responses: ok(answers.run, "A run's state, losses and rate"),
  }),
  runEvents: createRoute({
    method: "get",
    path: "/runs/{id}/events",
    security: operator,
    request: { params: idParams },
    responses: {
      200: { content: { "text/event-stream": { schema: z.string() } }, description: "Progress until the run is over" },
      ...refusals,
    },
  }),
  pauseRun: onRun("pause", "paused", "No new tasks are given out until it is resumed"),
  resumeRun: onRun("resume", "resumed", "Tasks are given out again, to every trainer"),
  stopRun: onRun("stop", "stopped", "The last checkpoint is evaluated, then the run is done"),
  branchRun: createRoute({
    method: "post",
    path: "/runs/{id}/branch",
    security: operator,
    request: { params: idParams, body: optionalBody(branchBody) },
    responses: ok(answers.startedRun, "The id of a run that goes on from a checkpoint of this one"),
  }),
  deleteRun: createRoute({
    method: "delete",
    path: "/runs/{id}",
    security: operator,
    request: { params: idParams },
    responses: ok(z.object({ deleted: z.string() }), "The run and its objects are gone; models that it has published stay"),
  }),
  collectGarbage: createRoute({
    method: "post",
    path: "/garbage-collections",
    security: operator,
    request: { body: optionalBody(z.strictObject({ graceSeconds: z.int().min(0).optional() })) },
    responses: ok(answers.collected, "How many objects of runs were deleted because nothing names them"),
  }),
  listModels: createRoute({
    method: "get",
    path: "/models",
    security: operator,
    responses: ok(z.array(answers.model), "Published models"),
  }),
  activateModel: createRoute({
    method: "post",
    path: "/models/{id}/activate",
    security: operator,
    request: { params: idParams },
    responses: ok(z.object({ active: z.string() }), "Activated"),
  }),
} as const;
