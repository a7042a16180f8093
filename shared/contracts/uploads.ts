/** Files that an operator adds to the corpus. */
import { z } from "zod";
import { qualitySchema } from "./sources.ts";

/** Maximum bytes of an uploaded file. Split a larger file and give each piece its own name. */
export const MAX_UPLOAD_BYTES = 5 * 1024 * 1024;

const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, "expected letters, digits, dots, dashes and underscores");

export const uploadParamsSchema = z.object({
  /** The collection; it becomes one source of the corpus. */
  collection: name,
  /** The file's name. A new upload with the same name replaces the old file. */
  file: name,
});

export const uploadQuerySchema = z.object({
  /** The licence of documents that state none: an SPDX id or a URL. */
  licence: z.string().max(200).default(""),
  /** The language of documents that state none: a BCP 47 tag. */
  lang: z.string().max(35).default(""),
  /** An operator has chosen these texts, so they are stored as they are unless the upload asks for more. */
  quality: qualitySchema.default("none"),
});

export type UploadRequest = z.output<typeof uploadParamsSchema> & z.output<typeof uploadQuerySchema>;
