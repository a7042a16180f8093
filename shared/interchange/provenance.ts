/** What is known of where a model comes from. The model card is made of these facts alone; null and "unknown" are facts too. */
import { z } from "zod";
import { DATASET_KINDS, hashSchema } from "../artifacts.ts";
import { modelConfigSchema, trainingConfigSchema } from "../config.ts";

/** Null where nobody has measured or recorded it. */
const known = <T extends z.ZodType>(schema: T) => schema.nullable();

export const UNKNOWN_LICENCE = "unknown";

export const provenanceSchema = z.object({
  format: z.literal(1),
  /** What people call the model. */
  name: z.string(),
  checkpoint: hashSchema,
  tokenizer: hashSchema,
  dataset: known(hashSchema),
  model: modelConfigSchema,
  parameters: z.int().positive(),
  publishedAt: z.string(),
  /** Of the weights: an SPDX expression, or "unknown". */
  licence: z.string(),
  /** Languages of the training data (ISO 639), as far as they are recorded. */
  languages: z.array(z.string()),
  /** Whether it has learned conversations; else it continues texts. */
  isTaught: z.boolean(),
  training: z.object({
    /** Null of a model that was brought in from elsewhere. */
    run: known(z.string()),
    preset: known(z.string()),
    rounds: z.int().nonnegative(),
    tokens: z.int().nonnegative(),
    recipe: known(trainingConfigSchema),
    computeSeconds: known(z.number()),
    cents: known(z.number()),
  }),
  data: known(
    z.object({
      kind: z.enum(DATASET_KINDS).default("pretrain"),
      /** The lesson set of kind sft. */
      lessons: hashSchema.optional(),
      /** Of kind sft, conversations. */
      documents: z.int().nonnegative(),
      trainTokens: z.int().nonnegative(),
      valTokens: z.int().nonnegative(),
      valBytes: z.int().nonnegative(),
    }),
  ),
  /** Nats per token of the validation text (of kind sft, per conversation), and of two models that count. */
  evaluation: z.object({
    loss: known(z.number()),
    bitsPerByte: known(z.number()),
    unigramLoss: known(z.number()),
    trigramLoss: known(z.number()),
  }),
});
export type Provenance = z.infer<typeof provenanceSchema>;
