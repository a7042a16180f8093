/**
 * Signing in and out from a browser. Pages of other origins cannot read the answers, because this door has no `isOpenToPages`.
 */
import { createRoute } from "@hono/zod-openapi";
import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import { sessionSchema, signInSchema, type Session } from "../../../shared/contracts/session.ts";
import { expiryOf } from "../../../shared/session-codes.ts";
import { isToken, limit } from "../auth.ts";
import { createHandlers, type Door, type GatewayContext } from "../door.ts";
import { isPublic } from "../readers.ts";
import { json, refusalsOf } from "../responses.ts";
import { beginSession, endSession, isOwnRequest, sessionEnd } from "./cookie.ts";

const sessionOf = (c: Context<GatewayContext>, end: number | null): Session => ({
  operator: end !== null,
  training: end !== null || isPublic(c.env, "PUBLIC_TRAINING"),
  expiresAt: end === null ? null : new Date(end).toISOString(),
});

const routes = {
  begin: createRoute({
    method: "post",
    path: "/session",
    middleware: limit("SESSION_LIMIT"),
    request: { body: { content: { "application/json": { schema: signInSchema } }, required: true } },
    responses: { 200: json(sessionSchema, "Signed in: the answer sets a cookie"), ...refusalsOf(400, 403, 413, 415, 429, 500) },
  }),
  read: createRoute({ method: "get", path: "/session", responses: { 200: json(sessionSchema, "Whether the caller is signed in") } }),
  end: createRoute({
    method: "delete",
    path: "/session",
    responses: { 200: json(sessionSchema, "Signed out: the answer deletes the cookie"), ...refusalsOf(403) },
  }),
} as const;

const handlers = createHandlers();
handlers.openapi(routes.begin, async (c) => {
  const given = c.req.valid("json");
  const isGenuine =
    "token" in given
      ? await isToken(c.env, given.token)
      : (await expiryOf(c.env.OPERATOR_TOKEN ?? "", "link", given.code, Date.now())) !== null;
  if (!isGenuine) {
    const expected = "token" in given ? "the operator's token" : "a link of the last ten minutes: open a new one";
    throw new HTTPException(403, { message: `expected ${expected}` });
  }
  return c.json(sessionOf(c, await beginSession(c)), 200);
});
handlers.openapi(routes.read, async (c) => {
  c.header("cache-control", "no-store");
  return c.json(sessionOf(c, await sessionEnd(c)), 200);
});
handlers.openapi(routes.end, async (c) => {
  if (!isOwnRequest(c)) throw new HTTPException(403, { message: "expected a request of this origin's pages" });
  await endSession(c);
  return c.json(sessionOf(c, null), 200);
});

export const sessionDoor: Door = {
  prefix: "/session",
  routes: Object.values(routes),
  handlers,
  errorBody: (_, message) => ({ error: message }),
};
