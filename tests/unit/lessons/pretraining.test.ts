/** Which corpus a model has read, whatever it has learned since. */
import { expect, test } from "vitest";
import { datasetSchema, type Hash, type StoredDataset } from "../../../shared/artifacts.ts";
import { presetOf } from "../../../shared/config.ts";
import { datasetBeforeVotes, pretrainingOf } from "../../../shared/lessons/pretraining.ts";
import { putJson } from "../../../shared/store.ts";
import { MapBucket } from "../../../scripts/simulation/map-bucket.ts";

const NAME = "0".repeat(64);
const bucket = new MapBucket().asBucket();
const NONE = { train: [], val: [], trainTokens: 0, valTokens: 0, valBytes: 0, documents: 1 };
const dataset = (fields: Partial<StoredDataset>): Promise<Hash> =>
  putJson(bucket, "dataset", { format: 1, tokenizer: NAME, vocabSize: 300, ...NONE, ...fields });

/** The dataset of preferences over a model that has learned `learned`. */
async function votesOn(learned: Hash): Promise<Hash> {
  const model = { ...presetOf("tiny").model, vocabSize: 300 };
  const start = { round: 0, tokens: 0, lrScale: 1, weights: [], outer: null, inner: [] };
  const reference = await putJson(bucket, "checkpoint", { format: 2, model, tokenizer: NAME, dataset: learned, ...start });
  return dataset({ kind: "preferences", reference, context: 8 });
}

test("the corpus of a model is found behind lessons and votes, in any number", async () => {
  const corpus = await dataset({});
  const lessons = await dataset({ kind: "sft", replay: corpus, context: 8 });
  for (const learned of [corpus, lessons, await votesOn(corpus), await votesOn(lessons), await votesOn(await votesOn(lessons))])
    expect(await pretrainingOf(bucket, { dataset: learned })).toBe(corpus);
  const before = await datasetBeforeVotes(bucket, { dataset: await votesOn(lessons) });
  expect([before?.hash, datasetSchema.parse(before?.dataset).kind]).toEqual([lessons, "sft"]);
});

test("there is none without a stored dataset", async () => {
  expect(await pretrainingOf(bucket, { dataset: null })).toBeNull();
  expect(await pretrainingOf(bucket, { dataset: NAME })).toBeNull();
  expect(await pretrainingOf(bucket, { dataset: await votesOn(NAME) })).toBeNull();
  expect(await pretrainingOf(bucket, { dataset: await dataset({ kind: "sft", context: 8 }) })).toBeNull();
});
