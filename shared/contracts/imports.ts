/** The import of a model from elsewhere. Its objects are uploaded first, under their hashes; this request then publishes the model. */
import { z } from "zod";
import { hashSchema, MAX_CHAT_TEMPLATE } from "../artifacts.ts";
import { modelConfigSchema } from "../config.ts";

/** Maximum bytes of an uploaded object. A part usually has 2 MB; only a part with one large parameter has more. */
export const MAX_IMPORTED_BYTES = 96 * 1024 * 1024;

/** The run id of imported models. No run can have this id. */
export const IMPORTED_RUN = "import:";

export const importRequestSchema = z.strictObject({
  model: modelConfigSchema,
  tokenizer: hashSchema,
  /** The parts (safetensors), as shared/model/formats/partition.ts cuts the parameters. */
  weights: z.array(hashSchema).min(1).max(1024),
  /** The tokens that end a text. Default: the tokenizer's end-of-text token. */
  endTokens: z.array(z.int().nonnegative()).min(1).max(16).optional(),
  /** The model's own chat template (Jinja), which its exports keep. Default: Tiffin's template. */
  chatTemplate: z.string().min(1).max(MAX_CHAT_TEMPLATE).optional(),
  activate: z.boolean().default(false),
});
export type ImportRequest = z.output<typeof importRequestSchema>;

export const importedModelSchema = z.object({ model: hashSchema });
export type ImportedModel = z.output<typeof importedModelSchema>;

export const storedObjectSchema = z.object({ stored: hashSchema });
