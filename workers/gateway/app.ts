/** The API: each route checks its input by its schema, asks one Worker, and gives its answer back. */
import { OpenAPIHono } from "@hono/zod-openapi";
import { bodyLimit } from "hono/body-limit";
import { HTTPException } from "hono/http-exception";
import { secureHeaders } from "hono/secure-headers";
import { limit, requireOperator } from "./auth.ts";
import { voterOf } from "./client.ts";
import { onError } from "./errors.ts";
import { health } from "./health.ts";
import { routes } from "./native/routes.ts";
import { namedError } from "../../shared/errors.ts";

const MAX_BODY_BYTES = 64 * 1024;
const notFound = (what: string): never => {
  throw namedError("NotFound", `${what}: expected a known id`);
};

/** Leaves out keys without a value, which RPC and exact optional types would tell apart from absent ones. */
function defined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as never;
}

export const app = new OpenAPIHono<{ Bindings: GatewayEnv }>({
  defaultHook: (result, c) => {
    if (result.success) return undefined;
    const message = result.error.issues.map((issue) => `${issue.path.join(".") || "body"}: ${issue.message}`).join("; ");
    return c.json({ error: message }, 400);
  },
});

app.onError(onError);
app.notFound((c) => {
  const allowed = Object.values(routes).filter(({ path }) => new RegExp(`^${path.replaceAll("{id}", "[^/]+")}$`).test(c.req.path));
  if (allowed.length === 0) return c.json({ error: `no such route: ${c.req.method} ${c.req.path}` }, 404);
  const allow = allowed.map(({ method }) => method.toUpperCase()).join(", ");
  return c.json({ error: `method: expected ${allow}, got ${c.req.method}` }, 405, { allow });
});
app.use(secureHeaders());
app.use(
  bodyLimit({ maxSize: MAX_BODY_BYTES, onError: (c) => c.json({ error: `expected a body of at most ${MAX_BODY_BYTES} bytes` }, 413) }),
);
app.use(async (c, next) => {
  const isJson = /^application\/json\b/i.test(c.req.header("content-type") ?? "");
  const isEmpty = c.req.raw.body === null || c.req.header("content-length") === "0";
  if (!isEmpty && !isJson) throw new HTTPException(415, { message: "content-type: expected application/json" });
  return next();
});
for (const route of Object.values(routes)) if ("security" in route) app.use(route.getRoutingPath(), requireOperator);
app.use("/generate", limit("GENERATE_LIMIT"));
app.use("/feedback", limit("FEEDBACK_LIMIT"));

app.openapi(routes.about, (c) =>
  c.json({ name: "Tiffin", what: "a language model grown on Cloudflare Workers", documentation: "/openapi.json", health: "/health" }, 200),
);
app.doc31("/openapi.json", { openapi: "3.1.0", info: { title: "Tiffin", version: "0.1.0" } });
app.openAPIRegistry.registerComponent("securitySchemes", "operator", { type: "http", scheme: "bearer" });

app.openapi(routes.health, async (c) => {
  const state = await health(c.env);
  return c.json(state, state.ok ? 200 : 503);
});
app.openapi(routes.generate, async (c) => c.json(await c.env.GENERATOR.generate(defined(c.req.valid("json"))), 200));
app.openapi(routes.feedback, async (c) =>
  c.json(await c.env.FEEDBACK.score({ ...defined(c.req.valid("json")), voter: await voterOf(c) }), 200),
);
app.openapi(routes.addSource, async (c) => c.json(await c.env.COLLECTOR.addSource(c.req.valid("json")), 200));
app.openapi(routes.listSources, async (c) => c.json(await c.env.COLLECTOR.listSources(), 200));
app.openapi(routes.startCrawls, async (c) => c.json(await c.env.COLLECTOR.startCrawls(defined(c.req.valid("json"))), 200));
app.openapi(routes.getCrawl, async (c) => c.json((await c.env.COLLECTOR.getCrawl(c.req.valid("param").id)) ?? notFound("crawl"), 200));
app.openapi(routes.removeDocument, async (c) => c.json(await c.env.COLLECTOR.removeUrl(c.req.valid("query").url), 200));
app.openapi(routes.startRun, async (c) => c.json(await c.env.COORDINATOR.train(defined(c.req.valid("json"))), 200));
app.openapi(routes.listRuns, async (c) => c.json(await c.env.COORDINATOR.listRuns(), 200));
app.openapi(routes.getRun, async (c) => c.json((await c.env.COORDINATOR.getRun(c.req.valid("param").id)) ?? notFound("run"), 200));
app.openapi(routes.runEvents, async (c) => {
  const events = await c.env.COORDINATOR.runEvents(c.req.valid("param").id);
  return new Response(events, { headers: { "content-type": "text/event-stream", "cache-control": "no-store" } });
});
app.openapi(routes.pauseRun, async (c) => {
  await c.env.COORDINATOR.pauseRun(c.req.valid("param").id);
  return c.json({ paused: c.req.valid("param").id }, 200);
});
app.openapi(routes.resumeRun, async (c) => {
  await c.env.COORDINATOR.resumeRun(c.req.valid("param").id);
  return c.json({ resumed: c.req.valid("param").id }, 200);
});
app.openapi(routes.stopRun, async (c) => {
  await c.env.COORDINATOR.stopRun(c.req.valid("param").id);
  return c.json({ stopped: c.req.valid("param").id }, 200);
});
app.openapi(routes.branchRun, async (c) =>
  c.json(await c.env.COORDINATOR.branchRun(c.req.valid("param").id, defined(c.req.valid("json"))), 200),
);
app.openapi(routes.deleteRun, async (c) => {
  await c.env.COORDINATOR.deleteRun(c.req.valid("param").id);
  return c.json({ deleted: c.req.valid("param").id }, 200);
});
app.openapi(routes.collectGarbage, async (c) => c.json(await c.env.COORDINATOR.collectGarbage(c.req.valid("json").graceSeconds), 200));
app.openapi(routes.listModels, async (c) => c.json(await c.env.COORDINATOR.listModels(), 200));
app.openapi(routes.activateModel, async (c) => {
  await c.env.COORDINATOR.activateModel(c.req.valid("param").id);
  return c.json({ active: c.req.valid("param").id }, 200);
});
