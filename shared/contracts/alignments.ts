/** Learning from votes: one pass of the Workflow `align`, and its decisions. */
import { z } from "zod";
import { hashSchema } from "../artifacts.ts";

export const alignRequestSchema = z.strictObject({
  /** The same name continues an alignment that was interrupted. */
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,57}$/)
    .optional(),
  objective: z.enum(["dpo", "ipo", "kto"]).default("dpo"),
  /** The preset whose optimizer and batch the run has. */
  preset: z.string().max(64).default("small"),
  /** How often the run reads each pair. */
  epochs: z.int().min(1).max(100).default(3),
  /** Factor on the preset's learning rates. */
  lrScale: z.number().positive().max(100).default(0.05),
  seed: z.int().min(0).max(0xffff_ffff).default(1),
  /** False: a model that passes is published, but the active model stays. */
  promotes: z.boolean().default(true),
});
export type AlignRequest = z.input<typeof alignRequestSchema>;

export const startedAlignmentSchema = z.object({ alignment: z.string() });
export type StartedAlignment = z.output<typeof startedAlignmentSchema>;

/** What was measured of a candidate (preferences/gate.ts), and how many votes it learned from. */
const reportSchema = z.object({
  passes: z.boolean(),
  chance: z.number(),
  reasons: z.array(z.string()),
  pairs: z.int(),
  wins: z.int(),
  heldOut: z.object({ baseline: z.number(), candidate: z.number() }).nullable(),
  canaries: z.object({ right: z.int(), kept: z.int() }).nullable(),
  votes: z.int(),
  learnedPairs: z.int(),
});
export type Report = z.output<typeof reportSchema>;

export const decisionSchema = z.object({
  number: z.int(),
  alignment: z.string(),
  verdict: z.enum(["promoted", "refused", "rolled-back"]),
  candidate: hashSchema,
  baseline: hashSchema,
  report: reportSchema,
  createdAt: z.string(),
});
export type Decision = z.output<typeof decisionSchema>;

export const decisionsQuerySchema = z.object({
  /** `next` of the page before. */
  before: z.coerce.number().int().min(1).default(Number.MAX_SAFE_INTEGER),
  limit: z.coerce.number().int().min(1).max(100).default(50),
});
export const decisionsSchema = z.object({ decisions: z.array(decisionSchema), next: z.int().nullable() });
export type Decisions = z.output<typeof decisionsSchema>;

export const alignmentSchema = z.object({
  alignment: z.string(),
  /** The state of its Workflow. */
  status: z.string(),
  error: z.string().nullable(),
  /** The run that trains the candidate. */
  run: z.string(),
  decisions: z.array(decisionSchema),
});
export type Alignment = z.output<typeof alignmentSchema>;

export const rolledBackSchema = z.object({ active: hashSchema });
