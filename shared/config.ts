/**
 * Configurations of models and runs: types, parsing of untrusted JSON, presets.
 *
 * Model fields follow the Qwen3 decoder; `model/export.ts` maps them to the names of a Hugging Face config.json.
 * A preset is a starting point: a request may override its parts.
 */
import { z } from "zod";

/** Bounds that keep a hostile or careless configuration from asking for more than an isolate could ever hold. */
const MAX_VOCAB = 65_536; // token shards are uint16
const MAX_WIDTH = 4096;
const MAX_LAYERS = 64;
const MAX_CONTEXT = 8192;

/** The decoder's shape. */
export const modelConfigSchema = z
  .object({
    vocabSize: z.int().min(2).max(MAX_VOCAB),
    width: z.int().min(4).max(MAX_WIDTH),
    mlpWidth: z
      .int()
      .min(4)
      .max(4 * MAX_WIDTH),
    layers: z.int().min(1).max(MAX_LAYERS),
    heads: z.int().min(1).max(MAX_WIDTH),
    /** Key/value heads; fewer than `heads` means grouped queries. */
    kvHeads: z.int().min(1).max(MAX_WIDTH),
    headWidth: z.int().min(2).max(512).multipleOf(2),
    context: z.int().min(2).max(MAX_CONTEXT),
    ropeTheta: z.number().min(1).max(1e8),
    normEpsilon: z.number().min(1e-12).max(1e-2),
    tiedEmbeddings: z.boolean(),
  })
  .refine((model) => model.heads % model.kvHeads === 0, { error: "heads must be a multiple of kvHeads", path: ["kvHeads"] });
export type ModelConfig = z.infer<typeof modelConfigSchema>;

/** How weights are updated. `lr` is for matrices under Muon and for everything under AdamW. */
export const optimizerConfigSchema = z.discriminatedUnion("name", [
  z.object({
    name: z.literal("adamw"),
    lr: z.number().positive().max(1),
    beta1: z.number().min(0).lt(1),
    beta2: z.number().min(0).lt(1),
    epsilon: z.number().positive(),
    weightDecay: z.number().min(0).max(1),
  }),
  z.object({
    name: z.literal("muon"),
    /** Learning rate of hidden matrices. */
    lr: z.number().positive().max(1),
    momentum: z.number().min(0).lt(1),
    /** Learning rate of the Adam part: embeddings, head, vectors. */
    adamLr: z.number().positive().max(1),
    beta1: z.number().min(0).lt(1),
    beta2: z.number().min(0).lt(1),
    epsilon: z.number().positive(),
    weightDecay: z.number().min(0).max(1),
  }),
  z.object({ name: z.literal("nesterov"), lr: z.number().positive().max(2), momentum: z.number().min(0).lt(1) }),
]);
export type OptimizerConfig = z.infer<typeof optimizerConfigSchema>;

/** Learning rate over optimizer steps: linear warm-up, constant, linear decay to zero over the last `decay` share. */
export const scheduleConfigSchema = z.object({ warmupSteps: z.int().min(0), decay: z.number().min(0).max(1) });
export type ScheduleConfig = z.infer<typeof scheduleConfigSchema>;

/**
 * How a run trains. With `steps` = 1 each shard returns its mean gradient and `optimizer` is applied once to the mean
 * over shards: exactly one step on one big batch. With `steps` > 1 each shard takes that many local steps of
 * `optimizer`, returns how far it moved, and `outer` is applied to the mean (DiLoCo, arXiv:2311.08105).
 */
export const trainingConfigSchema = z.object({
  seed: z.int().min(0).max(0xffff_ffff),
  /** Training tokens in all, over all shards. */
  tokens: z.int().min(1),
  /** Sequences of one optimizer step, over all shards when `steps` = 1, of each shard otherwise. */
  batch: z.int().min(1).max(4096),
  /** Tasks of one round. */
  shards: z.int().min(1).max(250),
  steps: z.int().min(1).max(1000),
  optimizer: optimizerConfigSchema,
  outer: optimizerConfigSchema,
  schedule: scheduleConfigSchema,
  /** Gradients are scaled down to this global norm; 0 leaves them alone. */
  clipNorm: z.number().min(0),
});
export type TrainingConfig = z.infer<typeof trainingConfigSchema>;
