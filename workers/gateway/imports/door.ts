/** Imports models: objects arrive as raw bytes under their hashes, then one request publishes the model. */
import { createRoute, z } from "@hono/zod-openapi";
import { HTTPException } from "hono/http-exception";
import { hashSchema } from "../../../shared/artifacts.ts";
import { importedModelSchema, importRequestSchema, MAX_IMPORTED_BYTES, storedObjectSchema } from "../../../shared/contracts/imports.ts";
import { createHandlers, type Door } from "../door.ts";
import { json, refusalsOf } from "../responses.ts";

const BYTES = "application/octet-stream";
const refusals = refusalsOf(400, 401, 411, 413, 415, 422, 500);

const putRoute = <P extends string>(path: P, description: string) =>
  createRoute({
    method: "put",
    path,
    security: [{ operator: [] }],
    request: { params: z.object({ hash: hashSchema }) },
    responses: { 200: json(storedObjectSchema, description), ...refusals },
  });

const routes = {
  putPart: putRoute("/imports/parts/{hash}", "A part of the weights is stored"),
  putTokenizer: putRoute("/imports/tokenizers/{hash}", "A tokenizer.json is stored"),
  importModel: createRoute({
    method: "post",
    path: "/imports",
    security: [{ operator: [] }],
    request: { body: { content: { "application/json": { schema: importRequestSchema } }, required: true } },
    responses: {
      200: json(importedModelSchema, "The model is published"),
      ...refusals,
    },
  }),
} as const;

/** The stream and the size of a body. Throws 411 if the request does not state the size. */
function streamOf(request: Request): { bytes: ReadableStream<Uint8Array>; size: number } {
  const length = request.headers.get("content-length");
  if (request.body === null || length === null)
    throw new HTTPException(411, { message: "content-length: expected the size of the body in bytes, got none" });
  return { bytes: request.body, size: Number(length) };
}

const handlers = createHandlers();
handlers.openapi(routes.putPart, async (c) => {
  const { hash } = c.req.valid("param");
  const { bytes, size } = streamOf(c.req.raw);
  await c.env.COORDINATOR.putImported("part", hash, size, bytes);
  return c.json({ stored: hash }, 200);
});
handlers.openapi(routes.putTokenizer, async (c) => {
  const { hash } = c.req.valid("param");
  const { bytes, size } = streamOf(c.req.raw);
  await c.env.COORDINATOR.putImported("tokenizer", hash, size, bytes);
  return c.json({ stored: hash }, 200);
});
handlers.openapi(routes.importModel, async (c) => c.json(await c.env.COORDINATOR.importModel(c.req.valid("json")), 200));

export const importsDoor: Door = {
  prefix: "/imports",
  routes: Object.values(routes),
  handlers,
  errorBody: (_, message) => ({ error: message }),
  bodyOf: (method) => (method === "PUT" ? { type: BYTES, maxBytes: MAX_IMPORTED_BYTES } : null),
};
