/** The recorded origin of a model. The model card uses only these facts, including null and "unknown". */
import { z } from "zod";
import { DATASET_KINDS, hashSchema, originSchema } from "../artifacts.ts";
import { modelConfigSchema, trainingConfigSchema } from "../config.ts";

/** A fact that is null if it was not measured or recorded. */
const known = <T extends z.ZodType>(schema: T) => schema.nullable();

export const UNKNOWN_LICENCE = "unknown";

export const provenanceSchema = z.object({
  format: z.literal(2),
  /** The model's name for people. */
  name: z.string(),
  checkpoint: hashSchema,
  tokenizer: hashSchema,
  dataset: known(hashSchema),
  model: modelConfigSchema,
  parameters: z.int().positive(),
  publishedAt: z.string(),
  /** Licence of the weights: an SPDX expression, or "unknown". */
  licence: z.string(),
  /** Recorded languages of the training data (ISO 639). */
  languages: z.array(z.string()),
  /** True for a model that was trained on conversations, false for a model that only continues texts. */
  isTaught: z.boolean(),
  training: z.object({
    /** Null for an imported model. */
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
      /** Kind sft: the lesson set. */
      lessons: hashSchema.optional(),
      /** Number of documents; kind sft: number of conversations. */
      documents: z.int().nonnegative(),
      trainTokens: z.int().nonnegative(),
      valTokens: z.int().nonnegative(),
      valBytes: z.int().nonnegative(),
      /** The pretraining dataset whose text kind sft repeats. */
      replay: hashSchema.optional(),
      /** Of the pretraining text; null if the dataset was made before origins were recorded. */
      origin: known(originSchema.omit({ format: true })),
    }),
  ),
  /** Losses of the model and of two n-gram baselines. Nats per validation token; kind sft: nats per validation conversation. */
  evaluation: z.object({
    loss: known(z.number()),
    bitsPerByte: known(z.number()),
    unigramLoss: known(z.number()),
    trigramLoss: known(z.number()),
  }),
});
export type Provenance = z.infer<typeof provenanceSchema>;
