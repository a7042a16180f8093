/**
 * Configurations of models and runs: types, parsing of untrusted JSON, presets.
 *
 * Model fields follow the Qwen3 decoder, and so do the parameter names in model/weights.ts. A preset is a starting point: a
 * request may override parts of the preset.
 */
import { z } from "zod";

/** Bounds. A hostile or careless configuration must not ask for more memory than an isolate has. */
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
    /** A reward model: it gives one score to a whole text, in place of probabilities of the next token. */
    isScored: z.literal(true).optional(),
  })
  .refine((model) => model.heads % model.kvHeads === 0, { error: "heads must be a multiple of kvHeads", path: ["kvHeads"] });
export type ModelConfig = z.infer<typeof modelConfigSchema>;
/** The fields that every model has. */
export type DecoderConfig = Omit<ModelConfig, "isScored">;

/** The optimizer. Under Muon, `lr` applies to hidden matrices only; under AdamW, to all parameters. */
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

/**
 * The learning rate over the optimizer steps: linear warm-up, then constant, then linear decay to zero during the last `decay`
 * share of all steps.
 */
export const scheduleConfigSchema = z.object({ warmupSteps: z.int().min(0), decay: z.number().min(0).max(1) });
export type ScheduleConfig = z.infer<typeof scheduleConfigSchema>;

/** The training objectives. Each objective is a file in training/objectives/. */
export const OBJECTIVE_NAMES = ["pretrain", "sft", "reward", "dpo", "ipo", "kto", "classify"] as const;
export type ObjectiveName = (typeof OBJECTIVE_NAMES)[number];

/**
 * How a run trains.
 *
 * With `steps` = 1, each shard returns its mean gradient. The coordinator applies `optimizer` once to the mean over shards:
 * exactly one step on one big batch.
 *
 * With `steps` > 1, each shard takes `steps` local steps of `optimizer` and returns the change of its weights. The coordinator
 * applies `outer` to the mean change (DiLoCo, arXiv:2311.08105).
 */
export const trainingConfigSchema = z.object({
  objective: z.enum(OBJECTIVE_NAMES).default("pretrain"),
  seed: z.int().min(0).max(0xffff_ffff),
  /** Total training tokens, over all shards. */
  tokens: z.int().min(1),
  /** Examples per optimizer step: over all shards if `steps` = 1, else per shard. */
  batch: z.int().min(1).max(4096),
  /** Shards per round. Each shard is one task. */
  shards: z.int().min(1).max(250),
  steps: z.int().min(1).max(1000),
  optimizer: optimizerConfigSchema,
  outer: optimizerConfigSchema,
  schedule: scheduleConfigSchema,
  /** Maximum global gradient norm: larger gradients are scaled down to it. 0: no clipping. */
  clipNorm: z.number().min(0),
  /**
   * Number format of the updates. With bf16 and int8, a shard keeps its rounding errors and adds them to its next update (error
   * feedback).
   */
  compression: z.enum(["float32", "bf16", "int8"]).default("float32"),
  /** Recomputes a block's activations in the backward pass instead of keeping them: less memory, about a third more arithmetic. */
  recompute: z.boolean().default(false),
});
export type TrainingConfig = z.infer<typeof trainingConfigSchema>;

/**
 * Makes every field of a configuration optional. A field that a request leaves out keeps the configured value. Defaults are
 * removed, because a default would replace the configured value.
 */
export function overridesOf<S extends z.ZodRawShape>(shape: S) {
  const fields = Object.entries(shape).map(([name, field]) => [
    name,
    (field instanceof z.ZodDefault ? (field.removeDefault() as z.ZodType) : (field as z.ZodType)).optional(),
  ]);
  return Object.fromEntries(fields) as { [K in keyof S]: z.ZodOptional<S[K] extends z.ZodDefault<infer Inner> ? Inner : S[K]> };
}

const { seed: _seed, tokens: _tokens, ...overridable } = trainingConfigSchema.shape;
/** The training fields that a request may override. */
export const trainingOverrides = overridesOf(overridable);

/** How a run is supervised. These fields do not change the arithmetic of a round. */
export const supervisionConfigSchema = z.strictObject({
  /** Rounds between evaluations; 0: evaluate only after the last round. */
  evaluateEvery: z.int().min(0).default(0),
  /** The run ends with its best checkpoint after this number of evaluations without a better validation loss; 0: no limit. */
  patience: z.int().min(0).default(0),
  /** The run ends at the first evaluation with at most this validation loss (nats per token); 0: no target. */
  targetLoss: z.number().min(0).default(0),
  /** Two trainers compute every k-th task, and their results are compared bit by bit; 0: no audits. */
  audit: z.int().min(0).default(0),
  /** Maximum number of rollbacks. After a divergence the run continues at half the learning rate; after damage, at the same rate. */
  rollbacks: z.int().min(0).max(10).default(2),
  /** Maximum total seconds of all trainers. The run is then evaluated and ends. 0: no maximum. */
  maxCpuSeconds: z.number().min(0).default(0),
  /** The same maximum in cents, at the platform's published price; 0: no maximum. */
  maxCents: z.number().min(0).default(0),
});
export type SupervisionConfig = z.infer<typeof supervisionConfigSchema>;

/** The supervision fields that a request may override. A branch inherits the other fields from its run. */
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
/**
 * DiLoCo's outer optimizer with its published settings, for runs of many rounds. Its momentum harms short runs
 * (workers/coordinator/README.md).
 */
const OUTER: OptimizerConfig = { name: "nesterov", lr: 0.7, momentum: 0.9 };
/** The plain mean of the shards' weights, without momentum, for shorter runs. */
export const MEAN: OptimizerConfig = { name: "nesterov", lr: 1, momentum: 0 };
const SHAPE = { ropeTheta: 10_000, normEpsilon: 1e-6, tiedEmbeddings: false };
const HALF_DECAY: ScheduleConfig = { warmupSteps: 0, decay: 0.5 };
/** Training settings that all presets share. */
export const USUAL = { objective: "pretrain", schedule: HALF_DECAY, compression: "float32", recompute: false } as const;

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

/** Returns the preset of a decoder with this name. Throws an error that lists the known names. */
export function presetOf(name: string): Preset {
  const preset = Object.hasOwn(PRESETS, name) ? PRESETS[name] : undefined;
  if (preset === undefined) throw new Error(`preset: expected one of ${Object.keys(PRESETS).join(", ")}, got ${name}`);
  return preset;
}
