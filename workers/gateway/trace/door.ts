/** Where a text was learned: passages of the training corpus that it repeats word for word. */
import { createRoute } from "@hono/zod-openapi";
import { tracedSchema, traceRequestSchema } from "../../../shared/contracts/trace.ts";
import { limit } from "../auth.ts";
import { createHandlers, type Door } from "../door.ts";
import { json, refusalsOf } from "../responses.ts";

const routes = {
  trace: createRoute({
    method: "post",
    path: "/trace",
    middleware: limit("GENERATE_LIMIT"),
    request: { body: { content: { "application/json": { schema: traceRequestSchema } }, required: true } },
    responses: {
      200: json(tracedSchema, "The longest passages that stand word for word in the training corpus, with their documents"),
      ...refusalsOf(400, 401, 404, 413, 415, 422, 429, 500, 503),
    },
  }),
} as const;

const handlers = createHandlers();
handlers.openapi(routes.trace, async (c) => c.json(await c.env.GENERATOR.findSources(c.req.valid("json")), 200));

export const traceDoor: Door = {
  prefix: "/trace",
  isOpenToPages: true,
  routes: Object.values(routes),
  handlers,
  errorBody: (_, message) => ({ error: message }),
};
