/** Finds what a model has read before its votes and lessons: preferences name their reference model, and lessons name their corpus. */
import { checkpointSchema, type Checkpoint, type Dataset, type Hash } from "../artifacts.ts";
import { findDataset } from "../find-dataset.ts";
import { getJson } from "../store.ts";

/** The dataset that a model has learned; for a model that learned preferences, that of its reference. Null if it is not stored here. */
export async function datasetBeforeVotes(
  bucket: R2Bucket,
  { dataset: hash }: Pick<Checkpoint, "dataset">,
): Promise<{ hash: Hash; dataset: Dataset } | null> {
  const dataset = await findDataset(bucket, hash);
  if (hash === null || dataset === null) return null;
  if (dataset.kind !== "preferences") return { hash, dataset };
  if (dataset.reference === undefined) return null;
  return datasetBeforeVotes(bucket, await getJson(bucket, "checkpoint", dataset.reference, checkpointSchema));
}

/** The dataset of a model's pretraining, before any lessons and votes; null if its datasets are not stored here. */
export async function pretrainingOf(bucket: R2Bucket, checkpoint: Pick<Checkpoint, "dataset">): Promise<Hash | null> {
  const learned = await datasetBeforeVotes(bucket, checkpoint);
  if (learned === null) return null;
  return learned.dataset.kind === "pretrain" ? learned.hash : (learned.dataset.replay ?? null);
}
