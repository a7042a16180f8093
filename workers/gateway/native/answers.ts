/** What the routes answer, for the OpenAPI document. The Workers' own types are the truth; tsc compares the two where a route answers. */
import { z } from "@hono/zod-openapi";
import { hashSchema } from "../../../shared/artifacts.ts";

const id = z.string();
const time = z.string();
const count = z.int();
const known = <T extends z.ZodType>(schema: T) => schema.nullable();

export const about = z.object({ name: z.string(), what: z.string(), documentation: z.string(), health: z.string() });

export const healthState = z.object({
  ok: z.boolean(),
  model: known(hashSchema),
  parts: z.record(z.string(), z.enum(["up", "down"])),
});

export const answer = z.object({
  response: z.string(),
  id,
  model: hashSchema,
  candidates: z.array(z.object({ response: z.string(), reward: z.number(), logProbability: z.number() })),
  usage: z.object({ promptTokens: count, completionTokens: count }),
});

export const storedScore = z.object({ stored: z.literal(true), reward: z.number(), votes: count });

export const source = z.object({
  id,
  url: z.string(),
  scope: z.enum(["host", "path"]),
  pageBudget: count,
  revisitSeconds: count,
  createdAt: time,
});

export const crawl = z.object({
  id,
  source: id,
  state: z.enum(["running", "done"]),
  queued: count,
  fetched: count,
  failed: count,
  documents: count,
  duplicates: count,
  bytes: count,
  skipped: z.record(z.string(), count),
  startedAt: time,
  finishedAt: known(time),
});

export const removal = z.object({ removed: count });

export const startedRun = z.object({ run: id, workflow: id });

/** The fields that callers live by; a run tells more. */
export const run = z.looseObject({
  id,
  state: z.enum(["preparing", "training", "evaluating", "paused", "done", "failed"]),
  progress: z.object({ stage: z.string(), done: z.number(), total: z.number() }),
  round: known(count),
  rounds: known(count),
  tokens: known(z.number()),
  totalTokens: known(z.number()),
  tokensPerSecond: known(z.number()),
  secondsLeft: known(z.number()),
  losses: z.array(z.object({ round: count, loss: z.number() })),
  valLoss: known(z.number()),
  unigramLoss: known(z.number()),
  bitsPerByte: known(z.number()),
  checkpoint: known(hashSchema),
  error: known(z.string()),
});

export const model = z.object({
  model: hashSchema,
  tokenizer: hashSchema,
  run: id,
  valLoss: known(z.number()),
  publishedAt: time,
  active: z.boolean(),
});

export const collected = z.object({ objects: count });
