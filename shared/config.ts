/**
 * Configurations of models and runs: types, parsing of untrusted JSON, presets.
 *
 * Model fields follow the Qwen3 decoder, as the names of its parameters do (model/weights.ts).
 * A preset is a starting point: a request may override its parts.
 */
import { z } from "zod";

/** Bounds that keep a hostile or careless configuration from asking for more than an isolate can hold. */
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

/** What a run can teach; each objective is a file in training/objectives/. */
export const OBJECTIVE_NAMES = ["pretrain", "sft"] as const;
export type ObjectiveName = (typeof OBJECTIVE_NAMES)[number];

/**
 * How a run trains. With `steps` = 1 each shard returns its mean gradient and `optimizer` is applied once to the mean
 * over shards: exactly one step on one big batch. With `steps` > 1 each shard takes that many local steps of
 * `optimizer`, returns how far it moved, and `outer` is applied to the mean (DiLoCo, arXiv:2311.08105).
 */
export const trainingConfigSchema = z.object({
  objective: z.enum(OBJECTIVE_NAMES).default("pretrain"),
  seed: z.int().min(0).max(0xffff_ffff),
  /** Training tokens in all, over all shards. */
  tokens: z.int().min(1),
  /** Examples of an optimizer step: over all shards when `steps` = 1, of each shard otherwise. */
  batch: z.int().min(1).max(4096),
  /** Tasks of one round. */
  shards: z.int().min(1).max(250),
  steps: z.int().min(1).max(1000),
  optimizer: optimizerConfigSchema,
  outer: optimizerConfigSchema,
  schedule: scheduleConfigSchema,
  /** Gradients are scaled down to this global norm; 0 leaves them alone. */
  clipNorm: z.number().min(0),
  /** How updates are sent. The shard keeps the rounding errors of bf16 and int8 and adds them to its next update (error feedback). */
  compression: z.enum(["float32", "bf16", "int8"]).default("float32"),
  /** Computes a block's activations again in the backward pass instead of keeping them: less memory for a third more arithmetic. */
  recompute: z.boolean().default(false),
});
export type TrainingConfig = z.infer<typeof trainingConfigSchema>;

/**
 * The fields of a configuration as overrides: each may be left out, and then the configuration keeps its value. (A field with
 * a default would override the value with the default.)
 */
function overridesOf<S extends z.ZodRawShape>(shape: S) {
  const fields = Object.entries(shape).map(([name, field]) => [
    name,
    (field instanceof z.ZodDefault ? (field.removeDefault() as z.ZodType) : (field as z.ZodType)).optional(),
  ]);
  return Object.fromEntries(fields) as { [K in keyof S]: z.ZodOptional<S[K] extends z.ZodDefault<infer Inner> ? Inner : S[K]> };
}

const { seed: _seed, tokens: _tokens, ...overridable } = trainingConfigSchema.shape;
/** What a request may change of its preset's training. */
export const trainingOverrides = overridesOf(overridable);

/** How a run is supervised: nothing here changes the arithmetic of a round. */
export const supervisionConfigSchema = z.strictObject({
  /** Rounds between evaluations; 0: only after the last round. */
  evaluateEvery: z.int().min(0).default(0),
  /** Evaluations without a better validation loss after which the run ends with its best checkpoint; 0: never. */
  patience: z.int().min(0).default(0),
  /** Ends the run at the first evaluation at or under this validation loss, nats per token; 0: never. */
  targetLoss: z.number().min(0).default(0),
  /** Every k-th task is computed by two trainers and compared bit by bit; 0: none. */
  audit: z.int().min(0).default(0),
  /** How often a run may go back to its rollback point. It continues at half the rate after a divergence, at the same rate after damage. */
  rollbacks: z.int().min(0).max(10).default(2),
  /** Seconds of trainers' time after which the run is evaluated and ends; 0: no cap. */
  maxCpuSeconds: z.number().min(0).default(0),
  /** The same in cents at the platform's published price; 0: no cap. */
  maxCents: z.number().min(0).default(0),
});
export type SupervisionConfig = z.infer<typeof supervisionConfigSchema>;

/** The fields that a request changes; a branch keeps the others of its run. */
export const supervisionOverrides = z.strictObject(overridesOf(supervisionConfigSchema.shape));

/** A named starting point for a run. */
export interface Preset {
  description: string;
  model: Omit<ModelConfig, "vocabSize">;
  vocabSize: number;
  training: Omit<TrainingConfig, "seed" | "tokens">;
  tokens: number;
}

const MUON: OptimizerConfig = {
  name: "muon",
  lr: 0.02,
  momentum: 0.95,
  adamLr: 4e-3,
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-10,
  weightDecay: 0,
};
const ADAMW: OptimizerConfig = { name: "adamw", lr: 3e-3, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1 };
/** The outer rule of DiLoCo with its published settings, for runs of many rounds: in short runs its momentum costs much (workers/coordinator/README.md). */
const OUTER: OptimizerConfig = { name: "nesterov", lr: 0.7, momentum: 0.9 };
/** The plain mean of the shards' weights, for shorter runs: it has no momentum to build up. */
const MEAN: OptimizerConfig = { name: "nesterov", lr: 1, momentum: 0 };
const SHAPE = { ropeTheta: 10_000, normEpsilon: 1e-6, tiedEmbeddings: false };
const HALF_DECAY: ScheduleConfig = { warmupSteps: 0, decay: 0.5 };
const USUAL = { objective: "pretrain", schedule: HALF_DECAY, compression: "float32", recompute: false } as const;

export const PRESETS: Readonly<Record<string, Preset>> = {
  tiny: {
    description: "for tests and a first look: seconds",
    model: { ...SHAPE, width: 64, mlpWidth: 128, layers: 2, heads: 2, kvHeads: 2, headWidth: 32, context: 64 },
    vocabSize: 512,
    training: {
      ...USUAL,
      batch: 8,
      shards: 2,
      steps: 1,
      optimizer: ADAMW,
      outer: OUTER,
      clipNorm: 1,
    },
    tokens: 200_000,
  },
  small: {
    description: "the default of npm start: minutes on two cores",
    model: { ...SHAPE, width: 128, mlpWidth: 352, layers: 4, heads: 4, kvHeads: 4, headWidth: 32, context: 128 },
    vocabSize: 1024,
    training: {
      ...USUAL,
      batch: 8,
      shards: 2,
      steps: 10,
      optimizer: MUON,
      outer: MEAN,
      clipNorm: 0,
    },
    tokens: 1_500_000,
  },
  "shakespeare-char": {
    description: "benchmark recipe on token shards made from a file's 65 characters; not for crawled text",
    model: { ...SHAPE, width: 128, mlpWidth: 352, layers: 4, heads: 4, kvHeads: 4, headWidth: 32, context: 64 },
    vocabSize: 65,
    training: {
      ...USUAL,
      batch: 12,
      shards: 1,
      steps: 1,
      optimizer: MUON,
      outer: OUTER,
      clipNorm: 0,
    },
    tokens: 400 * 12 * 64,
  },
  base: {
    description: "six million parameters: an hour or more on two cores",
    model: { ...SHAPE, width: 256, mlpWidth: 704, layers: 5, heads: 8, kvHeads: 8, headWidth: 32, context: 256 },
    vocabSize: 4096,
    training: {
      ...USUAL,
      batch: 8,
      shards: 2,
      steps: 10,
      optimizer: MUON,
      outer: OUTER,
      clipNorm: 0,
      recompute: true,
    },
    tokens: 10_000_000,
  },
};

/** The preset of a name, or an error that names the known ones. */
export function presetOf(name: string): Preset {
  const preset = Object.hasOwn(PRESETS, name) ? PRESETS[name] : undefined;
  if (preset === undefined) throw new Error(`preset: expected one of ${Object.keys(PRESETS).join(", ")}, got ${name}`);
  return preset;
}
