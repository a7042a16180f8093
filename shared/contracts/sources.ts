/** Sources of text, the crawls that read them, and the removal of a page. */
import { z } from "zod";

/**
 * What a document must pass. `web`: the filters of Gopher and FineWeb, which judge prose of web pages, and all of `basic`. `basic`:
 * broken characters are repaired, personal data is masked, near-duplicates are left out. `none`: texts are stored as they are.
 */
export const qualitySchema = z.enum(["web", "basic", "none"]);
export type Quality = z.output<typeof qualitySchema>;

export const sourceRequestSchema = z.strictObject({
  /** The kind chooses the collector's adapter, which finds and reads the pages. */
  kind: z.enum(["site", "feed", "mediawiki", "book", "repository", "paper", "social"]).default("site"),
  url: z.url().max(1000),
  scope: z.enum(["host", "path"]).default("path"),
  pageBudget: z.int().min(1).max(10_000).default(500),
  revisitSeconds: z.int().min(60).max(31_536_000).default(86_400),
  /** Without this field, the kind decides. */
  quality: qualitySchema.optional(),
});
export type SourceRequest = z.output<typeof sourceRequestSchema>;

export const sourceSchema = z.object({
  ...sourceRequestSchema.shape,
  /** `upload`: files that an operator sends, never crawled. */
  kind: z.enum([...sourceRequestSchema.shape.kind.unwrap().options, "upload"]),
  id: z.string(),
  createdAt: z.string(),
});
export type SourceKind = Source["kind"];
export type Source = z.output<typeof sourceSchema>;

export const crawlRequestSchema = z.strictObject({
  /** The source to crawl. Without this field, all sources that are due are crawled. */
  source: z.string().max(64).optional(),
});
export type CrawlRequest = z.output<typeof crawlRequestSchema>;

export const crawlSchema = z.object({
  id: z.string(),
  source: z.string(),
  state: z.enum(["running", "done"]),
  queued: z.int(),
  fetched: z.int(),
  failed: z.int(),
  /** Fetched pages that have not changed since the last crawl. */
  unchanged: z.int(),
  documents: z.int(),
  duplicates: z.int(),
  bytes: z.int(),
  /** Pages that were not kept, counted by reason. */
  skipped: z.record(z.string(), z.int()),
  startedAt: z.string(),
  finishedAt: z.string().nullable(),
});
export type Crawl = z.output<typeof crawlSchema>;

const countSchema = z.object({ documents: z.int(), bytes: z.int(), example: z.string() });
/** What became of a source's documents over all its crawls. An empty name of a language or licence means that it is not known. */
export const sourceReportSchema = z.object({
  source: z.string(),
  kept: z.object({ documents: z.int(), bytes: z.int() }),
  /** By reason. Bytes are those of the extracted text, 0 if none was extracted. */
  dropped: z.record(z.string(), countSchema),
  languages: z.record(z.string(), countSchema),
  licences: z.record(z.string(), countSchema),
  /** Pieces of personal data that were masked, by kind. */
  masked: z.record(z.string(), z.int()),
});
export type SourceReport = z.output<typeof sourceReportSchema>;

export const removalRequestSchema = z.strictObject({ url: z.url().max(1000) });
export const removalSchema = z.object({ removed: z.int() });
export type Removal = z.output<typeof removalSchema>;
