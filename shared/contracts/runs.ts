/**
 * Training runs: the requests of an operator and the status of a run. Add a field of a request here and where the run uses the
 * field. Add a field of the status here and in `statusOf` (workers/coordinator/status.ts).
 */
import { z } from "zod";
import { hashSchema } from "../artifacts.ts";
import { supervisionOverrides, trainingOverrides } from "../config.ts";
import { denseOverrides } from "../network-config.ts";
import { LAYOUT } from "../tokenizer/layout.ts";

const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/)
  .optional();
/** Total training tokens. */
const tokens = z.int().positive().max(10_000_000_000).optional();
const lrScale = z.number().positive().max(100);
const supervision = supervisionOverrides.default({});
const DEFAULT_REPLAY = 0.12;

export const runRequestSchema = z.strictObject({
  name,
  /** Default: "small", or "classifier" for objective classify. */
  preset: z.string().max(64).optional(),
  tokens,
  vocabSize: z.int().min(LAYOUT.minVocabSize).max(65_536).optional(),
  seed: z.int().min(0).max(0xffff_ffff).default(1),
  ...trainingOverrides,
  supervision,
  sources: z.array(z.string().max(64)).max(100).optional(),
  /** Trains on this dataset instead of making a new dataset from the corpus. */
  dataset: hashSchema.optional(),
  /** Starts from the weights and the tokenizer of this published model, with a new optimizer state. */
  from: hashSchema.optional(),
  /** Factor on the learning rate of a run that starts from a model. */
  lrScale: lrScale.optional(),
  /** Objective classify: the features, hidden layers and activation of the network, where they differ from the preset. */
  network: denseOverrides.optional(),
  /** False: the model is published, and the active model stays. */
  activates: z.boolean().default(true),
  /** Objectives sft and classify: the lesson set to learn. */
  lessons: hashSchema.optional(),
  /** Share of the training records that repeat pretraining text, so that the model does not forget it. */
  replay: z.number().min(0).max(0.9).default(DEFAULT_REPLAY),
});
export type RunRequest = z.input<typeof runRequestSchema>;

/** Parameters of the Workflow `train`: a request, or a branch that continues a run from a checkpoint (by default the newest). */
export const workflowRequestSchema = runRequestSchema.extend({
  branch: z.strictObject({ run: z.string(), checkpoint: hashSchema.optional(), lrScale }).optional(),
});
export type WorkflowRequest = z.input<typeof workflowRequestSchema>;

export const branchRequestSchema = z.strictObject({
  name,
  /** A checkpoint that the run still keeps. Default: its current checkpoint. */
  checkpoint: hashSchema.optional(),
  /** Total training tokens, including those of the checkpoint. */
  tokens,
  /** Factor on the learning rate. */
  lrScale: lrScale.default(1),
  supervision,
});
export type BranchRequest = z.input<typeof branchRequestSchema>;

export const startedRunSchema = z.object({ run: z.string(), workflow: z.string() });
export type StartedRun = z.output<typeof startedRunSchema>;

export const collectionRequestSchema = z.strictObject({ graceSeconds: z.int().min(0).optional() });
export const collectionSchema = z.object({ objects: z.int() });

/** A value that is null until the run knows it. */
const known = <S extends z.ZodType>(schema: S) => schema.nullable().default(null);
/** A list that is empty at first and grows during the run. */
const listed = <S extends z.ZodType>(schema: S) => z.array(schema).default([]);

export const runStatusSchema = z.object({
  id: z.string(),
  state: z.enum(["preparing", "training", "evaluating", "paused", "done", "failed"]),
  progress: z.object({ stage: z.string(), done: z.number(), total: z.number() }),
  error: z.string().nullable(),
  /** The run that this run branched off. */
  branchOf: known(z.string()),
  preset: known(z.string()),
  parameters: known(z.int()),
  vocabSize: known(z.int()),
  shards: known(z.int()),
  /** Local steps per round. */
  steps: known(z.int()),
  round: known(z.int()),
  rounds: known(z.int()),
  tokens: known(z.number()),
  totalTokens: known(z.number()),
  tokensPerSecond: known(z.number()),
  secondsLeft: known(z.number()),
  /** Wall-clock seconds from the first lease to the last commit, without evaluations. */
  trainingSeconds: known(z.number()),
  losses: listed(z.object({ round: z.int(), loss: z.number() })),
  firstLoss: known(z.number()),
  evaluations: listed(z.object({ round: z.int(), checkpoint: hashSchema, valLoss: z.number(), trainingSeconds: z.number() })),
  /** Nats per validation token of the best checkpoint. */
  valLoss: known(z.number()),
  unigramLoss: known(z.number()),
  trigramLoss: known(z.number()),
  bitsPerByte: known(z.number()),
  /** The current checkpoint; the best one when the run is done. */
  checkpoint: known(hashSchema),
  stopReason: known(z.string()),
  rollbacks: listed(z.object({ fromRound: z.int(), toRound: z.int(), lrScale: z.number(), reason: z.string() })),
  leases: listed(z.object({ shard: z.int(), trainer: z.string(), secondsLeft: z.number() })),
  /** Shards of the current round that already have a result. */
  finished: known(z.int()),
  trainers: listed(z.object({ name: z.string(), strikes: z.int(), quarantined: z.boolean(), secondsSilent: z.number() })),
  tasks: known(z.int()),
  /** Milliseconds from lease to result, an upper bound of the CPU time. */
  cpuMillisecondsPerTask: known(z.number()),
  /** Seconds of computation that trainers report. The rest of a trainer's time is coordination. */
  computeSeconds: known(z.number()),
  cents: known(z.number()),
  bytesPerRound: known(z.object({ delta: z.number(), inner: z.number() })),
  /** Duplicate and refused submissions, counted by reason. */
  counts: z.record(z.string(), z.int()).default({}),
});
export type RunStatus = z.output<typeof runStatusSchema>;

/** An event of `GET /runs/{id}/events`: the status with only the newest loss instead of all losses. */
export const runEventSchema = runStatusSchema.omit({ losses: true }).extend({ loss: z.number().nullable() });
export type RunEvent = z.output<typeof runEventSchema>;

/** A tick: a run's status in a few hundred bytes, for the parts that the Studio shows all the time. */
export const runTickSchema = runStatusSchema
  .pick({
    id: true,
    state: true,
    progress: true,
    round: true,
    rounds: true,
    shards: true,
    finished: true,
    tokens: true,
    totalTokens: true,
    tokensPerSecond: true,
    secondsLeft: true,
    valLoss: true,
    unigramLoss: true,
    trigramLoss: true,
    parameters: true,
    vocabSize: true,
  })
  .extend({
    /** The newest round's training loss. */
    loss: z.number().nullable(),
    /** Trainers that called in the last minute. */
    trainers: z.int(),
    /** Null before there is a dataset. */
    dataset: z.object({ documents: z.int(), tokens: z.number(), bytesPerToken: z.number().nullable(), kind: z.string() }).nullable(),
  });
export type RunTick = z.output<typeof runTickSchema>;

/**
 * An event of `GET /events?run=`. The first event has the whole tick; later events have only the changed fields. `losses` lists
 * the rounds since the event before, even if the connection broke in between. `isBehind` means that there were too many rounds to
 * list, so the reader must read the curve again.
 */
export const tickEventSchema = runTickSchema.partial().extend({
  losses: z.array(z.tuple([z.int(), z.number()])).default([]),
  isBehind: z.boolean().default(false),
});
export type TickEvent = z.input<typeof tickEventSchema>;
