/** Votes on answers. Everyone may vote who has a receipt; the operator reads, exports and deletes votes. */
import { createRoute, z } from "@hono/zod-openapi";
import {
  forgottenSchema,
  pageQuerySchema,
  ratingsSchema,
  storedVoteSchema,
  voteRequestSchema,
} from "../../../shared/contracts/feedback.ts";
import { namedError } from "../../../shared/errors.ts";
import { openReceipt } from "../../../shared/receipts.ts";
import { isOperator, limit } from "../auth.ts";
import { raterOf } from "../client.ts";
import { createHandlers, type Door } from "../door.ts";
import { body, operator } from "../native/route-parts.ts";
import { json, refusalsOf } from "../responses.ts";

const refusals = refusalsOf(400, 401, 404, 500);
const params = z.object({ rater: z.string().regex(/^[0-9a-f]{32}$/, "expected 32 hexadecimal digits") });

const routes = {
  vote: createRoute({
    method: "post",
    path: "/feedback",
    middleware: limit("FEEDBACK_LIMIT"),
    request: { body: body(voteRequestSchema) },
    responses: { 200: json(storedVoteSchema, "Stored"), ...refusalsOf(400, 404, 409, 413, 415, 422, 429, 500) },
  }),
  list: createRoute({
    method: "get",
    path: "/feedback/votes",
    security: operator,
    request: { query: pageQuerySchema },
    responses: { 200: json(ratingsSchema, "All votes, oldest first, page by page"), ...refusals },
  }),
  export: createRoute({
    method: "get",
    path: "/feedback/raters/{rater}",
    security: operator,
    request: { params, query: pageQuerySchema },
    responses: { 200: json(ratingsSchema, "The votes of one person, oldest first, page by page"), ...refusals },
  }),
  forget: createRoute({
    method: "delete",
    path: "/feedback/raters/{rater}",
    security: operator,
    request: { params },
    responses: { 200: json(forgottenSchema, "The votes of one person are deleted, with the pairs made from them"), ...refusals },
  }),
} as const;

const handlers = createHandlers();
handlers.openapi(routes.vote, async (c) => {
  const { receipt, user, ...vote } = c.req.valid("json");
  const answer = await openReceipt(c.env.OPERATOR_TOKEN ?? "", receipt, Date.now());
  if (answer === null) throw namedError("InvalidInput", "receipt: expected the receipt of an answer of the last seven days");
  const [rater, network] = await Promise.all([raterOf(c, user), raterOf(c)]);
  const isTrusted = await isOperator(c);
  return c.json(await c.env.FEEDBACK.vote({ ...answer, ...vote, rater, network, isTrusted }), 200);
});
handlers.openapi(routes.list, async (c) => c.json(await c.env.FEEDBACK.listRatings(c.req.valid("query")), 200));
handlers.openapi(routes.export, async (c) =>
  c.json(await c.env.FEEDBACK.listRatings(c.req.valid("query"), c.req.valid("param").rater), 200),
);
handlers.openapi(routes.forget, async (c) => {
  const { rater } = c.req.valid("param");
  return c.json({ deleted: rater, ratings: await c.env.FEEDBACK.forgetRater(rater) }, 200);
});

export const feedbackDoor: Door = {
  prefix: "/feedback",
  isOpenToPages: true,
  routes: Object.values(routes),
  handlers,
  errorBody: (_, message) => ({ error: message }),
};
