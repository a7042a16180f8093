/** A model from elsewhere: its objects are uploaded under their hashes, then this makes a published model of them. */
import { z } from "zod";
import { hashSchema } from "../artifacts.ts";
import { modelConfigSchema } from "../config.ts";

/** Bytes of one uploaded object: a part has 2 MB unless one parameter alone is larger. */
export const MAX_IMPORTED_BYTES = 96 * 1024 * 1024;

/** The run that a model from elsewhere names: there is none, and none can have this name. */
export const IMPORTED_RUN = "import:";

export const importRequestSchema = z.strictObject({
  model: modelConfigSchema,
  tokenizer: hashSchema,
  /** Safetensors parts, as shared/model/formats/partition.ts cuts the parameters. */
  weights: z.array(hashSchema).min(1).max(1024),
  /** The tokens that end a text; by default the tokenizer's end of text. */
  endTokens: z.array(z.int().nonnegative()).min(1).max(16).optional(),
  activate: z.boolean().default(false),
});
export type ImportRequest = z.output<typeof importRequestSchema>;

export const importedModelSchema = z.object({ model: hashSchema });
export type ImportedModel = z.output<typeof importedModelSchema>;

export const storedObjectSchema = z.object({ stored: hashSchema });
