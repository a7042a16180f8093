/** Learning from votes: the operator starts it, reads its decisions, and rolls back. */
import { createRoute, z } from "@hono/zod-openapi";
import {
  alignmentSchema,
  alignRequestSchema,
  decisionsQuerySchema,
  decisionsSchema,
  rolledBackSchema,
  startedAlignmentSchema,
} from "../../../shared/contracts/alignments.ts";
import { createHandlers, type Door } from "../door.ts";
import { idParams, ok, operator, optionalBody } from "../native/route-parts.ts";

const routes = {
  start: createRoute({
    method: "post",
    path: "/alignments",
    security: operator,
    request: { body: optionalBody(alignRequestSchema) },
    responses: ok(startedAlignmentSchema, "The name of the alignment, which goes on by itself"),
  }),
  list: createRoute({
    method: "get",
    path: "/alignments",
    security: operator,
    request: { query: decisionsQuerySchema },
    responses: ok(decisionsSchema, "Decisions about candidates, newest first, page by page"),
  }),
  read: createRoute({
    method: "get",
    path: "/alignments/{id}",
    security: operator,
    request: { params: idParams },
    responses: ok(alignmentSchema, "The state of an alignment, its run, and its decisions with their reports"),
  }),
  rollBack: createRoute({
    method: "post",
    path: "/alignments/{id}/rollback",
    security: operator,
    request: { params: idParams, body: optionalBody(z.strictObject({})) },
    responses: ok(rolledBackSchema, "The model that was active before the promotion answers again"),
  }),
} as const;

const handlers = createHandlers();
handlers.openapi(routes.start, async (c) => c.json(await c.env.FEEDBACK.align(c.req.valid("json")), 200));
handlers.openapi(routes.list, async (c) => c.json(await c.env.FEEDBACK.listDecisions(c.req.valid("query")), 200));
handlers.openapi(routes.read, async (c) => c.json(await c.env.FEEDBACK.getAlignment(c.req.valid("param").id), 200));
handlers.openapi(routes.rollBack, async (c) => c.json(await c.env.FEEDBACK.rollBack(c.req.valid("param").id), 200));

export const alignmentsDoor: Door = {
  prefix: "/alignments",
  routes: Object.values(routes),
  handlers,
  errorBody: (_, message) => ({ error: message }),
};
