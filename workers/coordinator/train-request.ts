/** Turns the request of a run into its configuration. The request's fields are in shared/contracts/runs.ts. */
import { z } from "zod";
import { checkpointSchema, objectKey, type Checkpoint, type Dataset } from "../../shared/artifacts.ts";
import { trainingConfigSchema, trainingOverrides, type Preset, type TrainingConfig } from "../../shared/config.ts";
import { anyPresetOf, denseConfigSchema, type DensePreset, type NetworkConfig } from "../../shared/network-config.ts";
import { isDense } from "../../shared/network-kind.ts";
import type { workflowRequestSchema } from "../../shared/contracts/runs.ts";
import { namedError } from "../../shared/errors.ts";
import { getJson } from "../../shared/store.ts";
import { objectiveOf } from "../../shared/training/objectives/list.ts";

export type ParsedRequest = z.output<typeof workflowRequestSchema>;

/** The name of a request's preset. */
export const presetName = ({ preset, objective }: ParsedRequest): string => preset ?? (objective === "classify" ? "classifier" : "small");

/** The preset of a request. Throws InvalidInput. */
function startOf(request: ParsedRequest): Preset | DensePreset {
  try {
    return anyPresetOf(presetName(request));
  } catch (error) {
    throw namedError("InvalidInput", (error as Error).message);
  }
}

/**
 * The training configuration of a request: its preset with the request's overrides. The tokens of a run that reads its examples a
 * number of times are known when its dataset is; until then they are 1. Throws InvalidInput.
 */
export function trainingOf(request: ParsedRequest): TrainingConfig {
  const preset = startOf(request);
  const overrides = z.object(trainingOverrides).parse(request);
  const tokens = request.tokens ?? ("tokens" in preset ? preset.tokens : 1);
  return parseRequest(trainingConfigSchema, { ...preset.training, ...overrides, tokens, seed: request.seed });
}

/**
 * The network of a new model on a dataset. Without a dataset, a decoder gets the vocabulary of a new tokenizer; a classifier, whose
 * labels are unknown then, is only checked (null). Throws InvalidInput.
 */
export function networkOf(request: ParsedRequest, dataset: Dataset | null): NetworkConfig | null {
  const preset = startOf(request);
  if ("vocabSize" in preset) return { ...preset.model, vocabSize: dataset?.vocabSize ?? request.vocabSize ?? preset.vocabSize };
  const withLabels = (labels: readonly string[]) =>
    parseRequest(z.object({ network: denseConfigSchema }), { network: { ...preset.model, ...request.network, labels } }).network;
  if (dataset === null) {
    withLabels(["at least", "two labels"]);
    return null;
  }
  const { labels, kind } = dataset;
  if (labels === undefined) throw namedError("InvalidInput", `dataset: expected kind classify for objective classify, got kind ${kind}`);
  return withLabels(labels);
}

/** Parses a request. Throws InvalidInput with the names of the fields. */
export function parseRequest<T>(schema: z.ZodType<T>, request: unknown): T {
  const parsed = schema.safeParse(request);
  if (parsed.success) return parsed.data;
  throw namedError("InvalidInput", parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; "));
}

const refuse = (message: string): never => {
  throw namedError("InvalidInput", message);
};

/** Checks fields that exclude or need each other. Throws InvalidInput with the name of the field to change. */
export function checkFields(request: ParsedRequest, { objective }: TrainingConfig): void {
  const { lessons, dataset, from, vocabSize, lrScale, network } = request;
  const isTaught = objective === "sft" || objective === "classify";
  const classifies = objective === "classify";
  if (classifies !== !("vocabSize" in startOf(request)))
    refuse(
      `preset: expected ${classifies ? "classifier" : "a preset of a decoder"} for objective ${objective}, got ${presetName(request)}`,
    );
  if (lessons !== undefined && !isTaught) refuse(`lessons: expected objective sft or classify, got ${objective}`);
  if (lessons !== undefined && dataset !== undefined) refuse("lessons: expected lessons or a dataset, got both");
  if (lessons !== undefined && from === undefined && !classifies) refuse("from: expected the model that learns the lessons, got none");
  if (isTaught && lessons === undefined && dataset === undefined)
    refuse(`lessons: expected the id of a lesson set (POST /lessons) for objective ${objective}, got none`);
  if (network !== undefined && !classifies) refuse(`network: expected objective classify, got ${objective}`);
  if (network !== undefined && from !== undefined) refuse("network: expected none with from, since a model brings its network");
  if (classifies && vocabSize !== undefined) refuse("vocabSize: expected none for objective classify, since features are hashes");
  const learnsPairs = objectiveOf({ objective }).datasetKind === "preferences";
  if (learnsPairs && (dataset === undefined || from === undefined))
    refuse(`dataset: expected a dataset of preferences and a model (from) for objective ${objective}; POST /alignments makes them`);
  // A reward model has other parameters than the model that it starts from.
  if (objective === "reward") refuse("objective: expected pretrain, sft, dpo, ipo or kto, got reward, which runs do not train yet");
  if (from !== undefined && vocabSize !== undefined) refuse("vocabSize: expected none with from, since a model brings its vocabulary");
  if (from === undefined && lrScale !== undefined) refuse("lrScale: expected a model that the run starts from, got none");
}

/**
 * The model that a request starts from; null if the request names none. Throws NotFound if the model or the lessons do not
 * exist.
 */
export async function originOf(env: CoordinatorEnv, request: ParsedRequest): Promise<Checkpoint | null> {
  const { from, lessons } = request;
  if (lessons !== undefined && (await env.ARTIFACTS.head(objectKey("lesson-set", lessons))) === null)
    throw namedError("NotFound", `lessons: expected the id of a lesson set, got ${lessons}`);
  if (from === undefined) return null;
  const models = await env.REGISTRY.getByName("registry").models();
  if (!models.some(({ model }) => model === from))
    throw namedError("NotFound", `from: expected the hash of a published model, got ${from}`);
  const checkpoint = await getJson(env.ARTIFACTS, "checkpoint", from, checkpointSchema);
  const classifies = trainingOf(request).objective === "classify";
  if (isDense(checkpoint.model) !== classifies)
    refuse(`from: expected ${classifies ? "a classifier" : "a language model"}, got ${classifies ? "a language model" : "a classifier"}`);
  return checkpoint;
}
