/** The seven Workers behind the real gateway, and a small model with random weights to answer with. */
import * as tf from "@tensorflow/tfjs-core";
import { createTestHarness } from "wrangler";
import { configPath, WORKERS } from "../../../scripts/local/workers.ts";
import { presetOf, type ModelConfig } from "../../../shared/config.ts";
import { encodeParts } from "../../../shared/model/formats/weights-file.ts";
import { initWeights } from "../../../shared/model/weights.ts";
import { putJson, putObject } from "../../../shared/store.ts";
import { startBackend } from "../../../shared/tensor/engine/backend.ts";

export const TOKEN = "token-for-tests";
const SMALLEST = { vocabSize: 259, width: 16, mlpWidth: 32, layers: 1, heads: 1, kvHeads: 1, headWidth: 16, context: 32 };
export const OPERATOR = { authorization: `Bearer ${TOKEN}` };

function isPrintable(byte: number): boolean {
  return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

/** A tokenizer.json of the 256 bytes alone, in GPT-2's printable letters. */
function byteTokenizer() {
  let next = 256;
  const vocab = Object.fromEntries(
    Array.from({ length: 256 }, (_, byte) => [String.fromCharCode(isPrintable(byte) ? byte : next++), byte]),
  );
  const special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
  return { added_tokens: special.map((content, index) => ({ id: 256 + index, content })), model: { type: "BPE", vocab, merges: [] } };
}

export async function openDoor() {
  const server = createTestHarness({
    workers: WORKERS.toReversed().map(({ name }) => ({
      configPath: configPath(name),
      secrets: (name === "gateway" ? { OPERATOR_TOKEN: TOKEN } : {}) as Record<string, string>,
    })),
  });
  const { url } = await server.listen();
  await server.getWorker("tiffin-feedback").applyD1Migrations("DB");
  return {
    close: () => server.close(),
    /** Where the gateway listens on loopback, for clients of their own. */
    url,
    server,
    /** A body that is a string goes out as it is. */
    send: (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
      server.fetch(path, {
        method,
        headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      }),
    /** Publishes a model with random weights, of the smallest shape unless another is given, and returns its hash. */
    publish: async (seed: number, shape: Partial<ModelConfig> = {}): Promise<string> => {
      await startBackend();
      const model = { ...presetOf("tiny").model, ...SMALLEST, ...shape };
      const weights = initWeights(model, seed);
      const env = await server.getWorker<CoordinatorEnv>("tiffin-coordinator").getEnv();
      const tokenizer = await putJson(env.ARTIFACTS, "tokenizer", byteTokenizer());
      const parts = await Promise.all([...encodeParts(model, weights)].map((bytes) => putObject(env.ARTIFACTS, "part", bytes)));
      tf.dispose(weights);
      const progress = { dataset: "0".repeat(64), round: 0, tokens: 0, lrScale: 1, outer: null, inner: [] };
      const hash = await putJson(env.ARTIFACTS, "checkpoint", { format: 2, model, tokenizer, weights: parts, ...progress });
      await env.REGISTRY.getByName("registry").publish({ model: hash, tokenizer, run: "r", valLoss: null });
      return hash;
    },
  };
}
