/**
 * Networks that a run can train: decoders (config.ts), and the dense networks of classifiers with their presets. A dense network
 * is told apart by its labels.
 */
import { z } from "zod";
import { MEAN, modelConfigSchema, overridesOf, PRESETS, USUAL, type Preset, type TrainingConfig } from "./config.ts";

/** Bounds of a classifier. Its labels are part of its configuration, which travels with every task. */
export const MAX_LABELS = 512;
export const MAX_LABEL_LENGTH = 128;
const MAX_HIDDEN_LAYERS = 8;
const MAX_HIDDEN_UNITS = 1024;
/** 4 MB: a classifier lies in the generator's memory beside a language model. */
const MAX_DENSE_PARAMETERS = 1_000_000;

interface DenseFields {
  features: number;
  hidden: number[];
  labels: readonly string[];
}

function denseParameters({ features, hidden, labels }: DenseFields): number {
  const sizes = [features, ...hidden, labels.length];
  return sizes.slice(1).reduce((sum, outputs, index) => sum + outputs * (sizes[index]! + 1), 0);
}

/** The shape of a classifier: a dense network from hashed features to labels (model/dense/). */
export const denseConfigSchema = z
  .object({
    /** Inputs of the first layer: a power of two, because a feature is the low bits of a hash. */
    features: z
      .int()
      .min(16)
      .max(65_536)
      .refine((features) => Number.isInteger(Math.log2(features)), { error: "expected a power of two" }),
    /** Units of each hidden layer, from the first to the last. Without hidden layers, the network is one linear layer. */
    hidden: z.array(z.int().min(1).max(MAX_HIDDEN_UNITS)).max(MAX_HIDDEN_LAYERS),
    /** The function of the hidden units. */
    activation: z.enum(["sigmoid", "relu"]),
    labels: z.array(z.string().min(1).max(MAX_LABEL_LENGTH)).min(2).max(MAX_LABELS),
  })
  .refine((network) => denseParameters(network) <= MAX_DENSE_PARAMETERS, {
    error: ({ input }) =>
      `expected a network of at most ${MAX_DENSE_PARAMETERS} parameters, got ${denseParameters(input as DenseFields)}; take smaller layers or fewer features`,
    path: ["hidden"],
  });

export type DenseConfig = z.infer<typeof denseConfigSchema>;

/** The shape of any network that a run can train. */
export const networkConfigSchema = z.union([modelConfigSchema, denseConfigSchema]);
export type NetworkConfig = z.infer<typeof networkConfigSchema>;

const { labels: _labels, ...denseFields } = denseConfigSchema.shape;
/** The fields of a dense network that a request may override. Its labels come with the lessons. */
export const denseOverrides = z.strictObject(overridesOf(denseFields));

/** A starting point for a run that trains a classifier. Its labels come with the lessons. */
export interface DensePreset {
  description: string;
  model: Omit<DenseConfig, "labels">;
  training: Omit<TrainingConfig, "seed" | "tokens">;
}

export const DENSE_PRESETS: Readonly<Record<string, DensePreset>> = {
  classifier: {
    description: "the default of a run that classifies: seconds",
    model: { features: 1024, hidden: [64], activation: "relu" },
    training: {
      ...USUAL,
      objective: "classify",
      batch: 32,
      shards: 2,
      steps: 50,
      optimizer: { name: "adamw", lr: 3e-3, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1 },
      outer: MEAN,
      clipNorm: 0,
    },
  },
};

/** Returns the preset with this name, of a decoder or of a classifier. Throws an error that lists the known names. */
export function anyPresetOf(name: string): Preset | DensePreset {
  const presets: Readonly<Record<string, Preset | DensePreset>> = { ...PRESETS, ...DENSE_PRESETS };
  const preset = Object.hasOwn(presets, name) ? presets[name] : undefined;
  if (preset === undefined) throw new Error(`preset: expected one of ${Object.keys(presets).join(", ")}, got ${name}`);
  return preset;
}
