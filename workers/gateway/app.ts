/** The gateway's HTTP application: the checks that every request passes, then the doors. */
import { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { cors } from "hono/cors";
import { bodyLimit } from "hono/body-limit";
import { HTTPException } from "hono/http-exception";
import { secureHeaders } from "hono/secure-headers";
import { requireOperator } from "./auth.ts";
import { refuse, type BodyRule, type GatewayContext, type Route } from "./door.ts";
import { doorOf, DOORS } from "./doors.ts";
import { drain } from "./drain.ts";
import { onError } from "./errors.ts";
import { isPageAddress, missingPage } from "./studio-pages.ts";

const JSON_BODY: BodyRule = { type: "application/json", maxBytes: 64 * 1024 };

const bodyRule = (c: Context<GatewayContext>): BodyRule => c.var.door.bodyOf?.(c.req.method) ?? JSON_BODY;

/**
 * True if only the operator may use a route. A route that may be open to others has an empty alternative in its `security` and
 * checks the caller itself.
 */
const isOperators = ({ security }: Route): boolean => security?.every((scheme) => Object.keys(scheme).length > 0) ?? false;

export const app = new OpenAPIHono<GatewayContext>();

app.onError(onError);
app.notFound((c) => {
  if (isPageAddress(c.req.path)) return missingPage(c);
  const isAsked = (path: string) => new RegExp(`^${path.replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(c.req.path);
  const allowed = doorOf(c.req.path).routes.filter(({ path }) => isAsked(path));
  if (allowed.length === 0) return refuse(c, 404, `no such route: ${c.req.method} ${c.req.path}`);
  const allow = allowed.map(({ method }) => method.toUpperCase()).join(", ");
  c.header("allow", allow);
  return refuse(c, 405, `method: expected ${allow}, got ${c.req.method}`);
});
app.use(async (c, next) => {
  c.set("door", doorOf(c.req.path));
  c.set("requestId", crypto.randomUUID());
  await next();
  c.header("x-request-id", c.var.requestId);
});
app.use(async (c, next) => {
  await next();
  await drain(c.req.raw.body);
});
app.use(secureHeaders());
app.use(async (c, next) => {
  const { maxBytes } = bodyRule(c);
  const refuseTooLarge = () => refuse(c, 413, `expected a body of at most ${maxBytes} bytes`);
  return bodyLimit({ maxSize: maxBytes, onError: refuseTooLarge })(c, next);
});
app.use(async (c, next) => {
  if (c.var.door.readsAnyType) {
    const headers = new Headers(c.req.raw.headers);
    headers.set("content-type", "application/json");
    c.req.raw = new Request(c.req.raw, { headers });
  }
  const { type } = bodyRule(c);
  const given = (c.req.header("content-type") ?? "").split(";", 1)[0]!.trim().toLowerCase();
  const isEmpty = c.req.raw.body === null || c.req.header("content-length") === "0";
  if (!isEmpty && given !== type) throw new HTTPException(415, { message: `content-type: expected ${type}` });
  return next();
});
/**
 * Web pages of any origin may use the open routes. Without a list of allowed headers, cors() allows the headers that a client
 * asks for.
 */
const openToPages = cors({ origin: "*", allowMethods: ["GET", "POST"], exposeHeaders: ["retry-after", "x-request-id"], maxAge: 86_400 });
for (const { routes, handlers, isOpenToPages } of DOORS) {
  for (const route of routes) {
    if (isOperators(route)) app.on(route.method, route.getRoutingPath(), requireOperator);
    else if (isOpenToPages && route.security === undefined) app.use(route.getRoutingPath(), openToPages);
  }
  app.route("/", handlers);
}
app.doc31("/openapi.json", { openapi: "3.1.0", info: { title: "Tiffin", version: "0.1.0" } });
app.openAPIRegistry.registerComponent("securitySchemes", "operator", { type: "http", scheme: "bearer" });
