/** Published models. At most one model of each kind is active. */
import { z } from "zod";
import { hashSchema } from "../artifacts.ts";
import { MODEL_KINDS } from "../network-kind.ts";
import { EXPORT_FORMATS } from "../interchange/formats.ts";

export const modelSchema = z.object({
  model: hashSchema,
  kind: z.enum(MODEL_KINDS).default("language"),
  /** Null for a classifier. */
  tokenizer: hashSchema.nullable(),
  run: z.string(),
  /** Nats per validation token; null for a model that was not evaluated. */
  valLoss: z.number().nullable(),
  publishedAt: z.string(),
  active: z.boolean(),
});
export type Model = z.output<typeof modelSchema>;

/** Publishes a model that is already stored, for example after a restore. */
export const publishRequestSchema = z.strictObject({
  model: hashSchema,
  tokenizer: hashSchema.nullable(),
  run: z.string().min(1).max(64),
  valLoss: z.number().nullable(),
});
export type PublishRequest = z.output<typeof publishRequestSchema>;

export const activatedSchema = z.object({ active: z.string() });

/** The format and the number type of an export. Without `type`, the format's usual type. */
export const exportQuerySchema = z.strictObject({ format: z.enum(EXPORT_FORMATS), type: z.string().max(16).optional() });
