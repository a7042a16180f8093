/** What an operator may ask of a new run, from wrangler or over HTTP. */
import { z } from "zod";
import { hashSchema } from "../../shared/artifacts.ts";
import { presetOf, supervisionOverrides, trainingConfigSchema, trainingOverrides, type TrainingConfig } from "../../shared/config.ts";
import { namedError } from "../../shared/errors.ts";

const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/)
  .optional();
const supervision = supervisionOverrides.default({});

export const trainRequestSchema = z.strictObject({
  name,
  preset: z.string().default("small"),
  tokens: z.int().positive().optional(),
  vocabSize: z.int().min(259).max(65_536).optional(),
  seed: z.int().min(0).max(0xffff_ffff).default(1),
  ...trainingOverrides,
  supervision,
  sources: z.array(z.string()).optional(),
  /** Trains on a dataset that is there already instead of one made from the corpus as it is now. */
  dataset: hashSchema.optional(),
  /** Set by `branchRun`: the checkpoint of another run to begin from, its newest one when that is read unless one is named. */
  branch: z.strictObject({ run: z.string(), checkpoint: hashSchema.optional(), lrScale: z.number().positive().max(100) }).optional(),
});
export type TrainRequest = z.input<typeof trainRequestSchema>;

export const branchRequestSchema = z.strictObject({
  name,
  /** One of the run's kept checkpoints; by default its current one. */
  checkpoint: hashSchema.optional(),
  /** Training tokens in all, those of the checkpoint included. */
  tokens: z.int().positive().optional(),
  /** Factor on the learning rate. */
  lrScale: z.number().positive().max(100).default(1),
  supervision,
});
export type BranchRequest = z.input<typeof branchRequestSchema>;

/** How the run of a request trains: its preset with what the request overrides. Throws InvalidInput. */
export function trainingOf(request: z.output<typeof trainRequestSchema>): TrainingConfig {
  const { training: usual, tokens } = presetOf(request.preset);
  const overrides = z.object(trainingOverrides).parse(request);
  return parseRequest(trainingConfigSchema, { ...usual, ...overrides, tokens: request.tokens ?? tokens, seed: request.seed });
}

/** Parses a request. Throws InvalidInput with the fields' names. */
export function parseRequest<T>(schema: z.ZodType<T>, request: unknown): T {
  const parsed = schema.safeParse(request);
  if (parsed.success) return parsed.data;
  throw namedError("InvalidInput", parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; "));
}
