/** Finds the corpus that a model has read: lessons come after a corpus, whose dataset their own names. */
import { datasetSchema, objectKey, type Checkpoint, type Hash } from "../artifacts.ts";
import { getJson } from "../store.ts";

/** The dataset of a model's pretraining, before any lessons; null if the dataset is not stored here. */
export async function pretrainingOf(bucket: R2Bucket, { dataset }: Pick<Checkpoint, "dataset">): Promise<Hash | null> {
  if (dataset === null || (await bucket.head(objectKey("dataset", dataset))) === null) return null;
  const { kind, replay } = await getJson(bucket, "dataset", dataset, datasetSchema);
  return kind === "pretrain" ? dataset : (replay ?? null);
}
