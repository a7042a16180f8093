/** A model with random weights whose corpus is indexed as that of a trained model: its tokenizer, its dataset and its traces.
 * A bench imports tensors-in-node.ts before this file. */
import { gzipSync } from "node:zlib";
import * as tf from "@tensorflow/tfjs-core";
import type { createTestHarness } from "wrangler";
import { datasetSchema, encodeDocument, traceKey, traceSchema, type Dataset, type Trace } from "../../../shared/artifacts.ts";
import { presetOf } from "../../../shared/config.ts";
import { encodeParts } from "../../../shared/model/formats/weights-file.ts";
import { initWeights } from "../../../shared/model/weights.ts";
import { startBackend } from "../../../shared/tensor/engine/backend.ts";
import { getJson, putJson, putObject, sha256 } from "../../../shared/store.ts";

export interface TracedDocument {
  url: string;
  text: string;
  licence: string;
}

interface Steps {
  mergeStep(input: object): Promise<{ state: string; tokenizer: string | null }>;
  encodeStep(input: object): Promise<{ state: string; dataset: string | null }>;
}
interface Buckets {
  CORPUS: R2Bucket;
  ARTIFACTS: R2Bucket;
}

/** Publishes the model and makes it the active one. `server` has all Workers. */
export async function publishTraced(
  server: ReturnType<typeof createTestHarness>,
  documents: readonly TracedDocument[],
  vocabSize: number,
): Promise<{ dataset: Dataset; trace: Trace; buckets: Buckets }> {
  const handle = server.getWorker("tiffin-tokenizer");
  const buckets = (await handle.getEnv()) as unknown as Buckets;
  const steps = (await handle.getExport()) as unknown as Steps;
  const lines = await Promise.all(
    documents.map(async ({ url, text, licence }) => {
      const hash = await sha256(new TextEncoder().encode(text));
      const about = { title: `Title of ${url}`, lang: "en", licence, source: "s", fetchedAt: "2026-11-23T10:00:00.000Z" };
      return `${encodeDocument({ id: hash, url, text, ...about, sha256: hash })}\n`;
    }),
  );
  const segment = await putObject(buckets.CORPUS, "segment", new Uint8Array(gzipSync(lines.join(""))));
  const bytes = documents.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
  const snapshot = await putJson(buckets.CORPUS, "snapshot", {
    format: 1,
    segments: [{ hash: segment, documents: documents.length, bytes }],
  });
  let merged = await steps.mergeStep({ snapshot, vocabSize, state: null });
  while (merged.tokenizer === null) merged = await steps.mergeStep({ snapshot, vocabSize, state: merged.state });
  const { tokenizer } = merged;
  let encoded = await steps.encodeStep({ snapshot, tokenizer, state: null });
  while (encoded.dataset === null) encoded = await steps.encodeStep({ snapshot, tokenizer, state: encoded.state });
  const { dataset } = encoded;
  await publishRandom(server, buckets.ARTIFACTS, { tokenizer, dataset, vocabSize });
  const trace = traceSchema.parse(await (await buckets.ARTIFACTS.get(traceKey(dataset)))!.json());
  return { dataset: await getJson(buckets.ARTIFACTS, "dataset", dataset, datasetSchema), trace, buckets };
}

async function publishRandom(
  server: ReturnType<typeof createTestHarness>,
  bucket: R2Bucket,
  { tokenizer, dataset, vocabSize }: { tokenizer: string; dataset: string; vocabSize: number },
): Promise<void> {
  await startBackend();
  const model = { ...presetOf("tiny").model, vocabSize };
  const weights = initWeights(model, 1);
  const parts = await Promise.all([...encodeParts(model, weights)].map((each) => putObject(bucket, "part", each)));
  tf.dispose(weights);
  const progress = { round: 0, tokens: 0, lrScale: 1, outer: null, inner: [] };
  const hash = await putJson(bucket, "checkpoint", { format: 2, model, tokenizer, dataset, weights: parts, ...progress });
  const env = (await server.getWorker("tiffin-coordinator").getEnv()) as unknown as CoordinatorEnv;
  await env.REGISTRY.getByName("registry").publish({ model: hash, tokenizer, run: "r", valLoss: null, kind: "language" });
}
