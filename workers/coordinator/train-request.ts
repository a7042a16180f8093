/** Turns the request of a run into its training configuration. The fields of requests are in shared/contracts/runs.ts. */
import { z } from "zod";
import { presetOf, trainingConfigSchema, trainingOverrides, type TrainingConfig } from "../../shared/config.ts";
import type { workflowRequestSchema } from "../../shared/contracts/runs.ts";
import { namedError } from "../../shared/errors.ts";

/** The training configuration of a request: its preset with the request's overrides. Throws InvalidInput. */
export function trainingOf(request: z.output<typeof workflowRequestSchema>): TrainingConfig {
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
