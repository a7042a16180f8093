/** The gateway's HTTP application: what every request passes before its door, and the doors. */
import { OpenAPIHono } from "@hono/zod-openapi";
import { bodyLimit } from "hono/body-limit";
import { HTTPException } from "hono/http-exception";
import { secureHeaders } from "hono/secure-headers";
import { requireOperator } from "./auth.ts";
import { refuse, type GatewayContext } from "./door.ts";
import { doorOf, DOORS } from "./doors.ts";
import { onError } from "./errors.ts";

const MAX_BODY_BYTES = 64 * 1024;

export const app = new OpenAPIHono<GatewayContext>();

app.onError(onError);
app.notFound((c) => {
  const isAsked = (path: string) => new RegExp(`^${path.replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(c.req.path);
  const allowed = doorOf(c.req.path).routes.filter(({ path }) => isAsked(path));
  if (allowed.length === 0) return refuse(c, 404, `no such route: ${c.req.method} ${c.req.path}`);
  const allow = allowed.map(({ method }) => method.toUpperCase()).join(", ");
  c.header("allow", allow);
  return refuse(c, 405, `method: expected ${allow}, got ${c.req.method}`);
});
app.use(async (c, next) => {
  c.set("door", doorOf(c.req.path));
  return next();
});
app.use(secureHeaders());
app.use(bodyLimit({ maxSize: MAX_BODY_BYTES, onError: (c) => refuse(c, 413, `expected a body of at most ${MAX_BODY_BYTES} bytes`) }));
app.use(async (c, next) => {
  const isJson = /^application\/json\b/i.test(c.req.header("content-type") ?? "");
  const isEmpty = c.req.raw.body === null || c.req.header("content-length") === "0";
  if (!isEmpty && !isJson) throw new HTTPException(415, { message: "content-type: expected application/json" });
  return next();
});
for (const { routes, handlers } of DOORS) {
  for (const route of routes) if (route.security !== undefined) app.use(route.getRoutingPath(), requireOperator);
  app.route("/", handlers);
}
app.doc31("/openapi.json", { openapi: "3.1.0", info: { title: "Tiffin", version: "0.1.0" } });
app.openAPIRegistry.registerComponent("securitySchemes", "operator", { type: "http", scheme: "bearer" });
