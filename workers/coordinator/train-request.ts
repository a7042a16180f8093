/** Turns the request of a run into its configuration. The request's fields are in shared/contracts/runs.ts. */
import { z } from "zod";
import { checkpointSchema, objectKey, type Checkpoint } from "../../shared/artifacts.ts";
import { presetOf, trainingConfigSchema, trainingOverrides, type TrainingConfig } from "../../shared/config.ts";
import type { workflowRequestSchema } from "../../shared/contracts/runs.ts";
import { namedError } from "../../shared/errors.ts";
import { getJson } from "../../shared/store.ts";

export type ParsedRequest = z.output<typeof workflowRequestSchema>;

/** The training configuration of a request: its preset with the request's overrides. Throws InvalidInput. */
export function trainingOf(request: ParsedRequest): TrainingConfig {
  const { training: usual, tokens } = presetOf(request.preset);
  const overrides = z.object(trainingOverrides).parse(request);
  return parseRequest(trainingConfigSchema, { ...usual, ...overrides, tokens: request.tokens ?? tokens, seed: request.seed });
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
export function checkFields({ lessons, dataset, from, vocabSize, lrScale }: ParsedRequest, { objective }: TrainingConfig): void {
  if (lessons !== undefined && objective !== "sft") refuse(`lessons: expected objective sft, got ${objective}`);
  if (lessons !== undefined && dataset !== undefined) refuse("lessons: expected lessons or a dataset, got both");
  if (lessons !== undefined && from === undefined) refuse("from: expected the model that learns the lessons, got none");
  if (objective === "sft" && lessons === undefined && dataset === undefined)
    refuse("lessons: expected the id of a lesson set (POST /lessons) for objective sft, got none");
  if (from !== undefined && vocabSize !== undefined) refuse("vocabSize: expected none with from, since a model brings its vocabulary");
  if (from === undefined && lrScale !== undefined) refuse("lrScale: expected a model that the run starts from, got none");
}

/**
 * The model that a request starts from; null if the request names none. Throws NotFound if the model or the lessons do not
 * exist.
 */
export async function originOf(env: CoordinatorEnv, { from, lessons }: ParsedRequest): Promise<Checkpoint | null> {
  if (lessons !== undefined && (await env.ARTIFACTS.head(objectKey("lesson-set", lessons))) === null)
    throw namedError("NotFound", `lessons: expected the id of a lesson set, got ${lessons}`);
  if (from === undefined) return null;
  const models = await env.REGISTRY.getByName("registry").models();
  if (!models.some(({ model }) => model === from))
    throw namedError("NotFound", `from: expected the hash of a published model, got ${from}`);
  return getJson(env.ARTIFACTS, "checkpoint", from, checkpointSchema);
}
