/** Keys of clients: the operator makes, lists and deletes them. client-key.ts checks them. */
import { createRoute, z } from "@hono/zod-openapi";
import { createdKeySchema, keyRequestSchema, keySchema } from "../../../shared/contracts/keys.ts";
import { createHandlers, type Door } from "../door.ts";
import { json, refusalsOf } from "../responses.ts";

const operator = [{ operator: [] }];
const refusals = refusalsOf(400, 401, 404, 409, 413, 415, 500);

const routes = {
  create: createRoute({
    method: "post",
    path: "/keys",
    security: operator,
    request: { body: { content: { "application/json": { schema: keyRequestSchema } }, required: true } },
    responses: { 200: json(createdKeySchema, "The key, which is shown only here"), ...refusals },
  }),
  list: createRoute({
    method: "get",
    path: "/keys",
    security: operator,
    responses: { 200: json(z.array(keySchema), "All keys, without the keys themselves, and their use today"), ...refusals },
  }),
  delete: createRoute({
    method: "delete",
    path: "/keys/{id}",
    security: operator,
    request: { params: z.object({ id: z.string().min(1).max(128) }) },
    responses: { 200: json(z.object({ deleted: z.string() }), "The key is refused from now on"), ...refusals },
  }),
} as const;

const handlers = createHandlers();
handlers.openapi(routes.create, async (c) => c.json(await c.env.COORDINATOR.createKey(c.req.valid("json")), 200));
handlers.openapi(routes.list, async (c) => c.json(await c.env.COORDINATOR.listKeys(), 200));
handlers.openapi(routes.delete, async (c) => {
  await c.env.COORDINATOR.deleteKey(c.req.valid("param").id);
  return c.json({ deleted: c.req.valid("param").id }, 200);
});

export const keysDoor: Door = {
  prefix: "/keys",
  routes: Object.values(routes),
  handlers,
  errorBody: (_, message) => ({ error: message }),
};
