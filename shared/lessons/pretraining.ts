/** Finds the corpus that a model has read: lessons come after a corpus, whose dataset their own names. */
import type { Checkpoint, Hash } from "../artifacts.ts";
import { findDataset } from "../find-dataset.ts";

/** The dataset of a model's pretraining, before any lessons; null if the dataset is not stored here. */
export async function pretrainingOf(bucket: R2Bucket, { dataset }: Pick<Checkpoint, "dataset">): Promise<Hash | null> {
  const manifest = await findDataset(bucket, dataset);
  if (manifest === null) return null;
  return manifest.kind === "pretrain" ? dataset : (manifest.replay ?? null);
}
