/**
 * One step of encoding a corpus into token shards. There are four stages: survey (choose the held-out documents), encode,
 * index (one training shard per step), baselines. The unfinished shard is part of the state, so the shards depend only on the snapshot and the tokenizer.
 */
import { z } from "zod";
import {
  hashSchema,
  originSourceSchema,
  snapshotSchema,
  tokenShardEntrySchema,
  traceStateSchema,
  type Document,
  type StoredDataset,
  type Hash,
  type TokenShardEntry,
  type TraceDocument,
} from "../../shared/artifacts.ts";
import { getJson, getObject, putJson, putObject } from "../../shared/store.ts";
import { trigramLoss, unigramLoss } from "../../shared/tokenizer/ngram.ts";
import { getTokenShard, putTokenShard } from "../../shared/tokenizer/stored-shards.ts";
import { decodeTokenShard, encodeTokenShard, MAX_SHARD_TOKENS } from "../../shared/tokenizer/token-shard.ts";
import { parseTokenizer } from "../../shared/tokenizer/json-reader.ts";
import { missingAsNotFound } from "./missing-as-not-found.ts";
import { addToSurvey, documentKey, heldOutBelow, isHeldOut, surveySchema } from "./held-out.ts";
import { addToSources, putOrigin } from "./origin.ts";
import { visitDocuments } from "./segments.ts";
import type { StepProgress } from "./merge-step.ts";
import { addDocuments, indexShard, putTrace, traceDocument } from "./trace.ts";

/** The most UTF-8 bytes of text in one call. */
const SURVEY_BYTES_PER_STEP = 16_000_000;
const ENCODE_BYTES_PER_STEP = 2_000_000;

const sideSchema = z.object({ shards: z.array(tokenShardEntrySchema), open: hashSchema.nullable() });
type Side = z.infer<typeof sideSchema>;

export const encodeStateSchema = z.object({
  format: z.literal(2),
  stage: z.enum(["survey", "encode", "index", "baselines"]),
  segment: z.int().nonnegative(),
  document: z.int().nonnegative(),
  survey: surveySchema,
  train: sideSchema,
  val: sideSchema,
  valBytes: z.int().nonnegative(),
  documents: z.int().nonnegative(),
  /** Documents by site, licence and language. Absent in states of earlier versions; their datasets get no origin. */
  sources: z.array(originSourceSchema).optional(),
  /** Indexes and documents of the training text. Absent in states of earlier versions; their datasets get none. */
  trace: traceStateSchema.optional(),
});
type State = z.infer<typeof encodeStateSchema>;

export interface EncodeStepInput {
  snapshot: Hash;
  tokenizer: Hash;
  state: Hash | null;
}

/** Throws "NotFound" if the snapshot, the tokenizer or the state does not exist. */
export async function encodeStep(
  env: TokenizerEnv,
  input: EncodeStepInput,
): Promise<{ state: Hash; done: boolean; dataset: Hash | null; progress: StepProgress }> {
  const snapshot = await missingAsNotFound(getJson(env.CORPUS, "snapshot", input.snapshot, snapshotSchema));
  const tokenizer = parseTokenizer(new Uint8Array(await missingAsNotFound(getObject(env.ARTIFACTS, "tokenizer", input.tokenizer))));
  const state: State =
    input.state === null
      ? {
          format: 2,
          stage: "survey",
          segment: 0,
          document: 0,
          survey: { keys: [], bytes: 0 },
          train: { shards: [], open: null },
          val: { shards: [], open: null },
          valBytes: 0,
          documents: 0,
          sources: [],
          trace: { indexes: [], documents: [] },
        }
      : await missingAsNotFound(getJson(env.ARTIFACTS, "tokenizer-state", input.state, encodeStateSchema));
  const total = snapshot.segments.length;
  const step = async (next: State) => ({
    state: await putJson(env.ARTIFACTS, "tokenizer-state", next),
    done: false,
    dataset: null,
    progress: { stage: state.stage, done: next.stage === state.stage ? next.segment : total, total },
  });

  if (state.stage === "survey") {
    const seen: [number, number][] = [];
    const at = await visitDocuments(env.CORPUS, snapshot, state, SURVEY_BYTES_PER_STEP, ({ sha256 }, bytes) => {
      seen.push([documentKey(sha256), bytes]);
    });
    const survey = addToSurvey(state.survey, seen);
    if (at.segment < total) return step({ ...state, ...at, survey });
    return step({ ...state, segment: 0, document: 0, survey, stage: "encode" });
  }

  if (state.stage === "encode") {
    const below = heldOutBelow(state.survey);
    const tokens = { train: await openTokens(env, state.train), val: await openTokens(env, state.val) };
    let { valBytes, documents } = state;
    const read: [Document, number][] = [];
    const before = countTokens(state.train.shards);
    const started: TraceDocument[] = [];
    const at = await visitDocuments(env.CORPUS, snapshot, state, ENCODE_BYTES_PER_STEP, (document, bytes) => {
      const { sha256, text } = document;
      read.push([{ ...document, text: "" }, bytes]);
      const heldOut = isHeldOut(state.survey, below, documentKey(sha256));
      const side = heldOut ? tokens.val : tokens.train;
      if (!heldOut) started.push(traceDocument(document, before + side.length));
      for (const id of tokenizer.encode(text)) side.push(id);
      side.push(tokenizer.endOfText);
      documents++;
      if (heldOut) valBytes += bytes;
    });
    const last = at.segment === total;
    const train = await writeSide(env, state.train, tokens.train, last);
    const val = await writeSide(env, state.val, tokens.val, last);
    const sources = state.sources === undefined ? {} : { sources: addToSources(state.sources, read) };
    const trace = state.trace === undefined ? {} : { trace: await addDocuments(env.ARTIFACTS, state.trace, started) };
    const stage = last ? ("trace" in trace ? "index" : "baselines") : "encode";
    return step({ ...state, ...at, train, val, valBytes, documents, ...sources, ...trace, stage });
  }

  if (state.stage === "index" && state.trace !== undefined) {
    const trace = await indexShard(env.ARTIFACTS, state.trace, state.train.shards);
    const isDone = trace.indexes.length >= state.train.shards.length;
    return step({ ...state, trace, stage: isDone ? "baselines" : "index" });
  }

  const readers = (shards: readonly TokenShardEntry[]) => shards.map((shard) => () => getTokenShard(env.ARTIFACTS, shard.hash));
  const [train, val] = [readers(state.train.shards), readers(state.val.shards)];
  const dataset: StoredDataset = {
    format: 1,
    tokenizer: input.tokenizer,
    vocabSize: tokenizer.vocabSize,
    endTokens: [tokenizer.endOfText],
    train: state.train.shards,
    val: state.val.shards,
    trainTokens: countTokens(state.train.shards),
    valTokens: countTokens(state.val.shards),
    valBytes: state.valBytes,
    documents: state.documents,
    unigramLoss: await unigramLoss(tokenizer.vocabSize, train, val),
    trigramLoss: await trigramLoss(tokenizer.vocabSize, train, val),
  };
  const hash = await putJson(env.ARTIFACTS, "dataset", dataset);
  if (state.sources !== undefined) {
    const superseded = snapshot.superseded.length;
    await putOrigin(env.ARTIFACTS, hash, { format: 1, snapshot: input.snapshot, superseded, sources: state.sources });
  }
  if (state.trace !== undefined) await putTrace(env.ARTIFACTS, hash, { format: 1, ...state.trace });
  const last = await putJson(env.ARTIFACTS, "tokenizer-state", state);
  return { state: last, done: true, dataset: hash, progress: { stage: "baselines", done: total, total } };
}

function countTokens(shards: readonly TokenShardEntry[]): number {
  return shards.reduce((tokens, shard) => tokens + shard.tokens, 0);
}

async function openTokens(env: TokenizerEnv, side: Side): Promise<number[]> {
  if (side.open === null) return [];
  return Array.from(decodeTokenShard(new Uint8Array(await getObject(env.ARTIFACTS, "tokenizer-state", side.open))));
}

/** Writes full shards. If `last` is true, the remaining tokens become the last shard; otherwise they stay open in the state. */
async function writeSide(env: TokenizerEnv, side: Side, tokens: readonly number[], last: boolean): Promise<Side> {
  const shards = [...side.shards];
  let first = 0;
  const end = last ? tokens.length : tokens.length - (tokens.length % MAX_SHARD_TOKENS);
  for (; first < end; first += MAX_SHARD_TOKENS) {
    shards.push(await putTokenShard(env.ARTIFACTS, tokens.slice(first, first + MAX_SHARD_TOKENS)));
  }
  const rest = tokens.slice(first);
  const open = rest.length === 0 ? null : await putObject(env.ARTIFACTS, "tokenizer-state", encodeTokenShard(rest));
  return { shards, open };
}
