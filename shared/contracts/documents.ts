/** The documents of the corpus, found by words of their addresses and titles, and one document as it is stored. */
import { z } from "zod";
import { documentSchema, hashSchema } from "../artifacts.ts";

const cursor = z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER);

export const documentsQuerySchema = z.strictObject({
  /** A part of the address or of the title. Default: every document. */
  query: z.string().max(200).optional(),
  /** The source that brought the text first. */
  source: z.string().max(64).optional(),
  /** The `cursor` of the page before. */
  cursor: cursor.optional(),
});
export type DocumentsQuery = z.output<typeof documentsQuerySchema>;

export const documentsSchema = z.object({
  /** Newest first. */
  documents: z.array(
    z.object({
      sha256: hashSchema,
      url: z.string(),
      /** Its first 300 characters. Null for a document stored before titles were listed. The document itself has it. */
      title: z.string().nullable(),
      source: z.string(),
      /** UTF-8 bytes of text. */
      bytes: z.int(),
    }),
  ),
  /** Names the next page; null at the end. */
  cursor: z.int().nullable(),
});
export type Documents = z.output<typeof documentsSchema>;

export const documentParamsSchema = z.object({ sha256: hashSchema });
export { documentSchema };
export type { Document } from "../artifacts.ts";

/** What became of a page of a crawl. `refused`: not kept, with a reason. `failed`: a later crawl may succeed. */
export const PAGE_VERDICTS = ["kept", "duplicate", "unchanged", "refused", "failed"] as const;
const verdictSchema = z.enum(PAGE_VERDICTS);
export type PageVerdict = z.output<typeof verdictSchema>;

export const crawlPagesQuerySchema = z.strictObject({ verdict: verdictSchema.optional(), cursor: cursor.optional() });
export type CrawlPagesQuery = z.output<typeof crawlPagesQuerySchema>;

export const crawlPagesSchema = z.object({
  /** Newest first. */
  pages: z.array(z.object({ url: z.string(), verdict: verdictSchema, reason: z.string().nullable(), at: z.string() })),
  cursor: z.int().nullable(),
});
export type CrawlPages = z.output<typeof crawlPagesSchema>;

const exportFormatSchema = z.enum(["jsonl", "warc"]);
export type ExportFormat = z.output<typeof exportFormatSchema>;
export const corpusExportQuerySchema = z.object({
  format: exportFormatSchema.default("jsonl"),
  /** The documents of one source. Without this field, all. */
  source: z.string().max(64).optional(),
});
export type CorpusExportQuery = z.output<typeof corpusExportQuerySchema>;
