/** Files that an operator brings into the corpus. */
import { z } from "zod";

/** Larger files come in pieces, each under its own name. */
export const MAX_UPLOAD_BYTES = 5 * 1024 * 1024;

const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, "expected letters, digits, dots, dashes and underscores");

export const uploadParamsSchema = z.object({
  /** One source of the corpus. */
  collection: name,
  /** A file of the same name replaces the one before. */
  file: name,
});

export const uploadQuerySchema = z.object({
  /** An SPDX id or a URL, for documents that state none. */
  licence: z.string().max(200).default(""),
  /** A BCP 47 language tag, for documents that state none. */
  lang: z.string().max(35).default(""),
});

export type UploadRequest = z.output<typeof uploadParamsSchema> & z.output<typeof uploadQuerySchema>;
