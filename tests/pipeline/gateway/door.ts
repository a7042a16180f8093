/** The seven Workers behind the real gateway, and a small model with random weights. */
import * as tf from "@tensorflow/tfjs-core";
import { configPath } from "../../../scripts/local/workers.ts";
import { presetOf, type ModelConfig } from "../../../shared/config.ts";
import { encodeParts } from "../../../shared/model/formats/weights-file.ts";
import { initWeights } from "../../../shared/model/weights.ts";
import { putJson, putObject } from "../../../shared/store.ts";
import { startBackend } from "../../../shared/tensor/engine/backend.ts";
import { tokenizerToJson } from "../../../shared/tokenizer/json-writer.ts";
import { FORMER_LAYOUT } from "../../../shared/tokenizer/layout.ts";
import { harnessOfAll, OPERATOR_TOKEN } from "../harness.ts";

/**
 * A model of an earlier version. It has no merges: its ids are the 256 bytes and then three special tokens, which all end a
 * text.
 */
export const SMALLEST = {
  vocabSize: FORMER_LAYOUT.minVocabSize,
  width: 16,
  mlpWidth: 32,
  layers: 1,
  heads: 1,
  kvHeads: 1,
  headWidth: 16,
  context: 32,
};
export const OPERATOR = { authorization: `Bearer ${OPERATOR_TOKEN}` };

/** `localSite`: the origin of a site on this machine that the collector may read. */
export async function openDoor(localSite?: string) {
  const server = harnessOfAll([], localSite === undefined ? {} : { [configPath("collector")]: { vars: { LOCAL_ORIGIN: localSite } } });
  const { url } = await server.listen();
  await server.getWorker("tiffin-feedback").applyD1Migrations("DB");
  return {
    close: () => server.close(),
    /** The gateway's address on loopback, for external clients. */
    url,
    server,
    /** Sends a request. A string body is sent unchanged. */
    send: (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
      server.fetch(path, {
        method,
        headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      }),
    /** Publishes a model with random weights and returns its hash. The shape is the smallest, except for the fields of `shape`. */
    publish: async (seed: number, shape: Partial<ModelConfig> = {}): Promise<string> => {
      await startBackend();
      const model = { ...presetOf("tiny").model, ...SMALLEST, ...shape };
      const weights = initWeights(model, seed);
      const env = await server.getWorker<CoordinatorEnv>("tiffin-coordinator").getEnv();
      const tokenizer = await putJson(env.ARTIFACTS, "tokenizer", tokenizerToJson(FORMER_LAYOUT.vocabulary([])));
      const parts = await Promise.all([...encodeParts(model, weights)].map((bytes) => putObject(env.ARTIFACTS, "part", bytes)));
      tf.dispose(weights);
      const progress = { dataset: "0".repeat(64), round: 0, tokens: 0, lrScale: 1, outer: null, inner: [] };
      const hash = await putJson(env.ARTIFACTS, "checkpoint", { format: 2, model, tokenizer, weights: parts, ...progress });
      await env.REGISTRY.getByName("registry").publish({ model: hash, tokenizer, run: "r", valLoss: null, kind: "language" });
      return hash;
    },
  };
}
