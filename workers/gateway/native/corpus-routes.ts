/** The routes of sources, crawls and documents. All are the operator's. */
import { createRoute, z } from "@hono/zod-openapi";
import {
  crawlRequestSchema,
  crawlSchema,
  removalRequestSchema,
  removalSchema,
  sourceReportSchema,
  sourceRequestSchema,
  sourceSchema,
} from "../../../shared/contracts/sources.ts";
import {
  corpusExportQuerySchema,
  crawlPagesQuerySchema,
  crawlPagesSchema,
  documentParamsSchema,
  documentSchema,
  documentsQuerySchema,
  documentsSchema,
} from "../../../shared/contracts/documents.ts";
import { body, idParams, ok, operator, optionalBody, refusals } from "./route-parts.ts";

export const corpusRoutes = {
  addSource: createRoute({
    method: "post",
    path: "/sources",
    security: operator,
    request: { body: body(sourceRequestSchema) },
    responses: ok(sourceSchema, "The source"),
  }),
  listSources: createRoute({ method: "get", path: "/sources", security: operator, responses: ok(z.array(sourceSchema), "All sources") }),
  reportSource: createRoute({
    method: "get",
    path: "/sources/{id}/report",
    security: operator,
    request: { params: idParams },
    responses: ok(sourceReportSchema, "What became of the source's documents: kept, dropped by reason, languages, licences"),
  }),
  startCrawls: createRoute({
    method: "post",
    path: "/crawls",
    security: operator,
    request: { body: optionalBody(crawlRequestSchema) },
    responses: ok(z.array(crawlSchema), "The crawls that run now"),
  }),
  listCrawls: createRoute({
    method: "get",
    path: "/crawls",
    security: operator,
    responses: ok(z.array(crawlSchema), "The newest twenty crawls"),
  }),
  getCrawl: createRoute({
    method: "get",
    path: "/crawls/{id}",
    security: operator,
    request: { params: idParams },
    responses: ok(crawlSchema, "A crawl's progress"),
  }),
  listCrawlPages: createRoute({
    method: "get",
    path: "/crawls/{id}/pages",
    security: operator,
    request: { params: idParams, query: crawlPagesQuerySchema },
    responses: ok(crawlPagesSchema, "The newest pages of a crawl and what became of them, among the last 5,000 of all crawls"),
  }),
  listDocuments: createRoute({
    method: "get",
    path: "/documents",
    security: operator,
    request: { query: documentsQuerySchema },
    responses: ok(documentsSchema, "Documents, newest first, found by a part of their addresses or titles"),
  }),
  getDocument: createRoute({
    method: "get",
    path: "/documents/{sha256}",
    security: operator,
    request: { params: documentParamsSchema },
    responses: ok(documentSchema, "A document as it is stored"),
  }),
  exportCorpus: createRoute({
    method: "get",
    path: "/corpus",
    security: operator,
    request: { query: corpusExportQuerySchema },
    responses: {
      200: {
        description: "The documents as one file with gzip: JSON Lines, or WARC with a conversion record per document",
        content: { "application/gzip": { schema: z.string().openapi({ format: "binary" }) } },
      },
      ...refusals,
    },
  }),
  removeDocument: createRoute({
    method: "delete",
    path: "/documents",
    security: operator,
    request: { query: removalRequestSchema },
    responses: ok(removalSchema, "How many documents were removed"),
  }),
} as const;
