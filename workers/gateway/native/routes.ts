/**
 * The routes of Tiffin's own protocol. The schemas of requests and answers are in shared/contracts. The OpenAPI document is
 * made from these routes and schemas.
 */
import { createRoute, z } from "@hono/zod-openapi";
import { classificationSchema, classifyRequestSchema } from "../../../shared/contracts/classify.ts";
import { costsSchema } from "../../../shared/contracts/costs.ts";
import {
  answerSchema,
  detokenizedSchema,
  detokenizeRequestSchema,
  generateRequestSchema,
  tokenizedSchema,
  tokenizeRequestSchema,
} from "../../../shared/contracts/generate.ts";
import { curveQuerySchema, curveSchema, eventsQuerySchema } from "../../../shared/contracts/curve.ts";
import { aboutSchema, healthSchema } from "../../../shared/contracts/health.ts";
import { activatedSchema, exportQuerySchema, modelSchema, publishRequestSchema } from "../../../shared/contracts/models.ts";
import { overviewSchema } from "../../../shared/contracts/overview.ts";
import { explainRequestSchema, explanationSchema } from "../../../shared/contracts/explain.ts";
import { predictionsSchema, predictRequestSchema } from "../../../shared/contracts/predict.ts";
import {
  branchRequestSchema,
  collectionRequestSchema,
  collectionSchema,
  runRequestSchema,
  runStatusSchema,
  startedRunSchema,
} from "../../../shared/contracts/runs.ts";
import { limit } from "../auth.ts";
import { readers, requireActiveOrReader, requireEventReader, requireModelReader, requireTrainingReader } from "../readers.ts";
import { browsersToStudio } from "../studio-pages.ts";
import { json, refusalsOf } from "../responses.ts";
import { corpusRoutes } from "./corpus-routes.ts";
import { body, idParams, ok, operator, optionalBody, refusals } from "./route-parts.ts";

const onRun = <V extends string, D extends string>(verb: V, done: D, description: string) =>
  createRoute({
    method: "post",
    path: `/runs/{id}/${verb}` as const,
    security: operator,
    request: { params: idParams },
    responses: ok(z.object({ [done]: z.string() } as Record<D, z.ZodString>), description),
  });

export const routes = {
  ...corpusRoutes,
  about: createRoute({ method: "get", path: "/", middleware: browsersToStudio, responses: { 200: json(aboutSchema, "What this is") } }),
  local: createRoute({
    method: "get",
    path: "/local",
    responses: { 200: { content: { "text/html": { schema: z.string() } }, description: "A page that runs the active model in the tab" } },
  }),
  health: createRoute({
    method: "get",
    path: "/health",
    responses: { 200: json(healthSchema, "All parts are up"), 503: json(healthSchema, "Some part is down") },
  }),
  overview: createRoute({
    method: "get",
    path: "/overview",
    responses: { 200: json(overviewSchema, "The pipeline at a glance"), ...refusalsOf(429, 500) },
  }),
  generate: createRoute({
    method: "post",
    path: "/generate",
    middleware: limit("GENERATE_LIMIT"),
    request: { body: body(generateRequestSchema) },
    responses: {
      200: {
        content: { "application/json": { schema: answerSchema }, "text/event-stream": { schema: z.string() } },
        description: "The best candidate; with `stream`, the events of the only candidate",
      },
      ...refusalsOf(400, 401, 413, 415, 422, 429, 500, 503),
    },
  }),
  tokenize: createRoute({
    method: "post",
    path: "/tokenize",
    middleware: limit("GENERATE_LIMIT"),
    request: { body: body(tokenizeRequestSchema) },
    responses: { 200: json(tokenizedSchema, "The ids of the text"), ...refusalsOf(400, 401, 413, 415, 429, 500, 503) },
  }),
  detokenize: createRoute({
    method: "post",
    path: "/detokenize",
    middleware: limit("GENERATE_LIMIT"),
    request: { body: body(detokenizeRequestSchema) },
    responses: { 200: json(detokenizedSchema, "The text of the ids"), ...refusalsOf(400, 401, 413, 415, 422, 429, 500, 503) },
  }),
  predict: createRoute({
    method: "post",
    path: "/predict",
    middleware: limit("GENERATE_LIMIT"),
    request: { body: body(predictRequestSchema) },
    responses: { 200: json(predictionsSchema, "The probabilities of answers"), ...refusalsOf(400, 401, 413, 415, 422, 429, 500, 503) },
  }),
  classify: createRoute({
    method: "post",
    path: "/classify",
    middleware: limit("GENERATE_LIMIT"),
    request: { body: body(classifyRequestSchema) },
    responses: {
      200: json(classificationSchema, "The labels by the active classifier, most probable first; on request, the values of all units"),
      ...refusalsOf(400, 401, 413, 415, 429, 500, 503),
    },
  }),
  explain: createRoute({
    method: "post",
    path: "/explain",
    middleware: limit("GENERATE_LIMIT"),
    request: { body: body(explainRequestSchema) },
    responses: {
      200: json(explanationSchema, "Probabilities, attention, and the prediction after each layer"),
      ...refusalsOf(400, 401, 413, 415, 422, 429, 500, 503),
    },
  }),
  startRun: createRoute({
    method: "post",
    path: "/runs",
    security: operator,
    request: { body: optionalBody(runRequestSchema) },
    responses: ok(startedRunSchema, "The run's id"),
  }),
  listRuns: createRoute({
    method: "get",
    path: "/runs",
    security: readers,
    middleware: requireTrainingReader,
    responses: ok(z.array(runStatusSchema), "All runs"),
  }),
  getRun: createRoute({
    method: "get",
    path: "/runs/{id}",
    security: readers,
    middleware: requireTrainingReader,
    request: { params: idParams },
    responses: ok(runStatusSchema, "A run's state, losses and rate"),
  }),
  runEvents: createRoute({
    method: "get",
    path: "/runs/{id}/events",
    security: readers,
    middleware: requireTrainingReader,
    request: { params: idParams },
    responses: {
      200: { content: { "text/event-stream": { schema: z.string() } }, description: "Progress until the run is over" },
      ...refusals,
    },
  }),
  runCurve: createRoute({
    method: "get",
    path: "/runs/{id}/curve",
    security: readers,
    middleware: requireTrainingReader,
    request: { params: idParams, query: curveQuerySchema },
    responses: ok(curveSchema, "The loss curve in stretches: least, mean and greatest loss of each"),
  }),
  events: createRoute({
    method: "get",
    path: "/events",
    security: readers,
    middleware: requireEventReader,
    request: { query: eventsQuerySchema },
    responses: {
      200: { content: { "text/event-stream": { schema: z.string() } }, description: "What changes, until the run or the crawl is over" },
      ...refusals,
    },
  }),
  pauseRun: onRun("pause", "paused", "No new tasks are given out until the run is resumed"),
  resumeRun: onRun("resume", "resumed", "Tasks are given out again, to every trainer"),
  stopRun: onRun("stop", "stopped", "The last checkpoint is evaluated, then the run is done"),
  branchRun: createRoute({
    method: "post",
    path: "/runs/{id}/branch",
    security: operator,
    request: { params: idParams, body: optionalBody(branchRequestSchema) },
    responses: ok(startedRunSchema, "The id of a new run that continues from a checkpoint of this run"),
  }),
  deleteRun: createRoute({
    method: "delete",
    path: "/runs/{id}",
    security: operator,
    request: { params: idParams },
    responses: ok(z.object({ deleted: z.string() }), "The run and its objects are deleted; models that it has published stay"),
  }),
  costs: createRoute({
    method: "get",
    path: "/costs",
    security: operator,
    responses: ok(costsSchema, "What runs and answers have cost in the last 92 days"),
  }),
  metrics: createRoute({
    method: "get",
    path: "/metrics",
    security: operator,
    responses: {
      200: { content: { "text/plain": { schema: z.string() } }, description: "Counters and gauges for Prometheus" },
      ...refusals,
    },
  }),
  collectGarbage: createRoute({
    method: "post",
    path: "/garbage-collections",
    security: operator,
    request: { body: optionalBody(collectionRequestSchema) },
    responses: ok(collectionSchema, "How many objects of runs were deleted because nothing names them"),
  }),
  listModels: createRoute({
    method: "get",
    path: "/models",
    security: operator,
    responses: ok(z.array(modelSchema), "Published models"),
  }),
  modelTokenizer: createRoute({
    method: "get",
    path: "/models/{id}/tokenizer.json",
    middleware: [limit("GENERATE_LIMIT"), requireActiveOrReader],
    request: { params: idParams },
    responses: {
      200: {
        content: { "text/plain": { schema: z.string() } },
        description: "The model's tokenizer.json: everyone's for the active model, else as its export",
      },
      ...refusalsOf(400, 401, 404, 429, 500),
    },
  }),
  publishModel: createRoute({
    method: "post",
    path: "/models",
    security: operator,
    request: { body: body(publishRequestSchema) },
    responses: ok(activatedSchema, "A model whose objects are stored already is published and answers from now on"),
  }),
  activateModel: createRoute({
    method: "post",
    path: "/models/{id}/activate",
    security: operator,
    request: { params: idParams },
    responses: ok(activatedSchema, "The model that answers from now on"),
  }),
  exportModel: createRoute({
    method: "get",
    path: "/models/{id}/export",
    security: readers,
    middleware: requireModelReader,
    request: { params: idParams, query: exportQuerySchema },
    responses: {
      200: { content: { "application/octet-stream": { schema: z.string() } }, description: "One file, or a tar of a folder" },
      ...refusals,
    },
  }),
} as const;
