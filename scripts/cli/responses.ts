/** What the scripts read of the gateway's answers. Each is parsed, so a gateway of another version is noticed by the field's name. */
import { z } from "zod";

const number = z.number().nullable();

export const sourceResponse = z.object({ id: z.string() });

export const crawlResponse = z.object({
  id: z.string(),
  state: z.string(),
  queued: z.number(),
  fetched: z.number(),
  documents: z.number(),
  duplicates: z.number(),
  bytes: z.number(),
  startedAt: z.string(),
});
export type Crawl = z.infer<typeof crawlResponse>;

export const startedRunResponse = z.object({ run: z.string() });

export const runResponse = z.object({
  id: z.string(),
  state: z.enum(["preparing", "training", "evaluating", "paused", "done", "failed"]),
  progress: z.object({ stage: z.string(), done: z.number(), total: z.number() }),
  error: z.string().nullable(),
  parameters: number,
  vocabSize: number,
  shards: number,
  /** Shards of the current round that have their result. */
  finished: number,
  /** Local steps per round. */
  steps: number,
  round: number,
  rounds: number,
  tokens: number,
  totalTokens: number,
  tokensPerSecond: number,
  secondsLeft: number,
  /** Wall clock from the first lease to the last commit, without evaluations. */
  trainingSeconds: number,
  /** Seconds that trainers report for computing training tasks. */
  computeSeconds: number,
  losses: z.array(z.object({ round: z.number(), loss: z.number() })),
  firstLoss: number,
  evaluations: z.array(z.object({ round: z.number(), valLoss: z.number(), trainingSeconds: z.number() })),
  /** Nats per validation token of the best checkpoint. */
  valLoss: number,
  unigramLoss: number,
  trigramLoss: number,
  bitsPerByte: number,
  checkpoint: z.string().nullable(),
  leases: z.array(z.object({ shard: z.number(), trainer: z.string(), secondsLeft: z.number() })),
  trainers: z.array(z.object({ name: z.string() })),
});
export type RunStatus = z.infer<typeof runResponse>;

export const runsResponse = z.array(runResponse.pick({ id: true, state: true }));

/** A server-sent event of a run: its state with the loss of the last round in place of the curve. */
export const runEvent = runResponse.omit({ losses: true }).extend({ loss: number });
export type RunEvent = z.infer<typeof runEvent>;

export const modelsResponse = z.array(z.object({ model: z.string(), active: z.boolean() }));

export const answerResponse = z.object({ id: z.string(), model: z.string(), response: z.string() });
