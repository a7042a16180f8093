/** Uploads of files for the corpus as raw bytes. The collector finds the format by the content. */
import { createRoute } from "@hono/zod-openapi";
import { crawlSchema } from "../../../shared/contracts/sources.ts";
import { MAX_UPLOAD_BYTES, uploadParamsSchema, uploadQuerySchema } from "../../../shared/contracts/uploads.ts";
import { createHandlers, type Door } from "../door.ts";
import { json, refusalsOf } from "../responses.ts";

const routes = {
  putFile: createRoute({
    method: "put",
    path: "/uploads/{collection}/{file}",
    security: [{ operator: [] }],
    request: { params: uploadParamsSchema, query: uploadQuerySchema },
    responses: {
      200: json(crawlSchema, "How many documents were new, known or refused"),
      ...refusalsOf(400, 401, 413, 415, 500),
    },
  }),
} as const;

const handlers = createHandlers();
handlers.openapi(routes.putFile, async (c) => {
  const bytes = new Uint8Array(await c.req.arrayBuffer());
  return c.json(await c.env.COLLECTOR.upload({ ...c.req.valid("param"), ...c.req.valid("query") }, bytes, c.var.requestId), 200);
});

export const uploadsDoor: Door = {
  prefix: "/uploads",
  routes: Object.values(routes),
  handlers,
  errorBody: (_, message) => ({ error: message }),
  bodyOf: (method) => (method === "PUT" ? { type: "application/octet-stream", maxBytes: MAX_UPLOAD_BYTES } : null),
};
