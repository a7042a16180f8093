/** Tiffin's own protocol. Each handler calls one Worker by RPC and returns the Worker's answer. */
import { createHandlers, type Door } from "../door.ts";
import { spendTokens } from "../client-key.ts";
import { askQuestion } from "../generation.ts";
import { health } from "../health.ts";
import { overview } from "../overview.ts";
import { namedError } from "../../../shared/errors.ts";
import { routes } from "./routes.ts";
import { localPage } from "../studio-pages.ts";
import { whenMade } from "../when-made.ts";
import { streamAnswer } from "./stream-answer.ts";

const notFound = (what: string): never => {
  throw namedError("NotFound", `${what}: expected a known id`);
};

const handlers = createHandlers();
handlers.openapi(routes.about, (c) =>
  c.json({ name: "Tiffin", what: "a language model grown on Cloudflare Workers", documentation: "/openapi.json", health: "/health" }, 200),
);
handlers.openapi(routes.local, (c) => localPage(c));
handlers.openapi(routes.health, async (c) => {
  const state = await health(c.env);
  return c.json(state, state.ok ? 200 : 503);
});
handlers.openapi(routes.overview, async (c) => c.json(await overview(c.env), 200));
handlers.openapi(routes.generate, async (c) => {
  const request = c.req.valid("json");
  return request.stream
    ? streamAnswer(c, request)
    : whenMade(async (hasLeft) => {
        const answer = await askQuestion(c.env, request, c.var.requestId, hasLeft);
        spendTokens(c, answer.usage.promptTokens + answer.usage.completionTokens);
        return answer;
      });
});
handlers.openapi(routes.tokenize, async (c) => c.json(await c.env.GENERATOR.tokenize(c.req.valid("json").text), 200));
handlers.openapi(routes.detokenize, async (c) => c.json(await c.env.GENERATOR.detokenize(c.req.valid("json").tokens), 200));
handlers.openapi(routes.predict, async (c) => c.json(await c.env.GENERATOR.predict(c.req.valid("json"), c.var.requestId), 200));
handlers.openapi(routes.classify, async (c) => c.json(await c.env.GENERATOR.classify(c.req.valid("json")), 200));
handlers.openapi(routes.explain, async (c) => c.json(await c.env.GENERATOR.explain(c.req.valid("json"), c.var.requestId), 200));
handlers.openapi(routes.addSource, async (c) => c.json(await c.env.COLLECTOR.addSource(c.req.valid("json"), c.var.requestId), 200));
handlers.openapi(routes.listSources, async (c) => c.json(await c.env.COLLECTOR.listSources(), 200));
handlers.openapi(routes.startCrawls, async (c) => c.json(await c.env.COLLECTOR.startCrawls(c.req.valid("json"), c.var.requestId), 200));
handlers.openapi(routes.listCrawls, async (c) => c.json(await c.env.COLLECTOR.listCrawls(), 200));
handlers.openapi(routes.getCrawl, async (c) => c.json((await c.env.COLLECTOR.getCrawl(c.req.valid("param").id)) ?? notFound("crawl"), 200));
handlers.openapi(routes.listCrawlPages, async (c) => {
  const pages = await c.env.COLLECTOR.listPages(c.req.valid("param").id, c.req.valid("query"));
  return c.json(pages ?? notFound("crawl"), 200);
});
handlers.openapi(routes.listDocuments, async (c) => c.json(await c.env.COLLECTOR.listDocuments(c.req.valid("query")), 200));
handlers.openapi(routes.getDocument, async (c) =>
  c.json((await c.env.COLLECTOR.getDocument(c.req.valid("param").sha256)) ?? notFound("document"), 200),
);
handlers.openapi(routes.reportSource, async (c) =>
  c.json((await c.env.COLLECTOR.sourceReport(c.req.valid("param").id)) ?? notFound("source"), 200),
);
handlers.openapi(routes.exportCorpus, async (c) => {
  const query = c.req.valid("query");
  const name = query.format === "warc" ? "corpus.warc.gz" : "corpus.jsonl.gz";
  const headers = { "content-type": "application/gzip", "content-disposition": `attachment; filename="${name}"` };
  return new Response(await c.env.COLLECTOR.exportCorpus(query), { headers });
});
handlers.openapi(routes.removeDocument, async (c) =>
  c.json(await c.env.COLLECTOR.removeUrl(c.req.valid("query").url, c.var.requestId), 200),
);
handlers.openapi(routes.startRun, async (c) => c.json(await c.env.COORDINATOR.train(c.req.valid("json"), c.var.requestId), 200));
handlers.openapi(routes.listRuns, async (c) => c.json(await c.env.COORDINATOR.listRuns(), 200));
handlers.openapi(routes.getRun, async (c) => c.json((await c.env.COORDINATOR.getRun(c.req.valid("param").id)) ?? notFound("run"), 200));
handlers.openapi(routes.runEvents, async (c) => {
  const events = await c.env.COORDINATOR.runEvents(c.req.valid("param").id);
  return new Response(events, { headers: { "content-type": "text/event-stream", "cache-control": "no-store" } });
});
handlers.openapi(routes.runCurve, async (c) =>
  c.json(await c.env.COORDINATOR.runCurve(c.req.valid("param").id, c.req.valid("query")), 200),
);
handlers.openapi(routes.events, async (c) => {
  // A browser that reconnects names the last event it got.
  const named = /^\d{1,9}$/.exec(c.req.header("last-event-id") ?? "")?.[0];
  const { run = "", crawl, since = null } = c.req.valid("query");
  const events =
    crawl === undefined
      ? await c.env.COORDINATOR.tickEvents(run, named === undefined ? since : Number(named))
      : await c.env.COLLECTOR.crawlEvents(crawl);
  return new Response(events, { headers: { "content-type": "text/event-stream", "cache-control": "no-store" } });
});
handlers.openapi(routes.pauseRun, async (c) => {
  await c.env.COORDINATOR.pauseRun(c.req.valid("param").id);
  return c.json({ paused: c.req.valid("param").id }, 200);
});
handlers.openapi(routes.resumeRun, async (c) => {
  await c.env.COORDINATOR.resumeRun(c.req.valid("param").id);
  return c.json({ resumed: c.req.valid("param").id }, 200);
});
handlers.openapi(routes.stopRun, async (c) => {
  await c.env.COORDINATOR.stopRun(c.req.valid("param").id);
  return c.json({ stopped: c.req.valid("param").id }, 200);
});
handlers.openapi(routes.branchRun, async (c) =>
  c.json(await c.env.COORDINATOR.branchRun(c.req.valid("param").id, c.req.valid("json")), 200),
);
handlers.openapi(routes.deleteRun, async (c) => {
  await c.env.COORDINATOR.deleteRun(c.req.valid("param").id);
  return c.json({ deleted: c.req.valid("param").id }, 200);
});
handlers.openapi(routes.costs, async (c) => c.json(await c.env.COORDINATOR.costs(), 200));
handlers.openapi(routes.metrics, async (c) =>
  c.text(await c.env.COORDINATOR.metrics(), 200, { "content-type": "text/plain; version=0.0.4" }),
);
handlers.openapi(routes.collectGarbage, async (c) => c.json(await c.env.COORDINATOR.collectGarbage(c.req.valid("json").graceSeconds), 200));
handlers.openapi(routes.listModels, async (c) => c.json(await c.env.COORDINATOR.listModels(), 200));
handlers.openapi(routes.modelTokenizer, async (c) => {
  const id = c.req.valid("param").id;
  const model = (await c.env.COORDINATOR.listModels()).find((each) => each.model === id) ?? notFound("model");
  const tokenizer = model.tokenizer ?? notFound("tokenizer of a language model");
  const text = await new Response(await c.env.COORDINATOR.readObject("tokenizer", tokenizer)).text();
  // A model is named by its content, so its tokenizer never changes.
  return c.text(text, 200, { "cache-control": "public, max-age=31536000, immutable" });
});
handlers.openapi(routes.publishModel, async (c) => {
  const model = c.req.valid("json");
  await c.env.COORDINATOR.publishModel(model);
  return c.json({ active: model.model }, 200);
});
handlers.openapi(routes.activateModel, async (c) => {
  await c.env.COORDINATOR.activateModel(c.req.valid("param").id);
  return c.json({ active: c.req.valid("param").id }, 200);
});
handlers.openapi(routes.exportModel, async (c) => {
  const { format, type } = c.req.valid("query");
  const { name, size, body } = await c.env.COORDINATOR.exportModel(c.req.valid("param").id, format, type);
  return new Response(body.pipeThrough(new FixedLengthStream(size)), {
    headers: {
      "content-type": name.endsWith(".tar") ? "application/x-tar" : "application/octet-stream",
      "content-disposition": `attachment; filename="${name}"`,
    },
  });
});

export const nativeDoor: Door = {
  prefix: "/",
  isOpenToPages: true,
  routes: Object.values(routes),
  handlers,
  errorBody: (_, message) => ({ error: message }),
};
