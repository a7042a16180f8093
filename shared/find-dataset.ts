/** Datasets that may be gone: an operator deletes old ones, and a model can be restored without its data. */
import { datasetSchema, objectKey, type Dataset, type Hash } from "./artifacts.ts";
import { getJson } from "./store.ts";

/** The manifest of a dataset; null if there is none, or if it is not stored here. */
export async function findDataset(bucket: R2Bucket, hash: Hash | null): Promise<Dataset | null> {
  if (hash === null || (await bucket.head(objectKey("dataset", hash))) === null) return null;
  return getJson(bucket, "dataset", hash, datasetSchema);
}
