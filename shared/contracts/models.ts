/** Published models, one of which is active. */
import { z } from "zod";
import { hashSchema } from "../artifacts.ts";

export const modelSchema = z.object({
  model: hashSchema,
  tokenizer: hashSchema,
  run: z.string(),
  /** Nats per validation token; null for a model that was published without an evaluation. */
  valLoss: z.number().nullable(),
  publishedAt: z.string(),
  active: z.boolean(),
});
export type Model = z.output<typeof modelSchema>;

export const activatedSchema = z.object({ active: z.string() });
