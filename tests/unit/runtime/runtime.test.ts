/**
 * The built runtime in Node: one module without the Workers' packages and training code. It gives the same results as the
 * Workers' backend, bit for bit. The runtime runs in its own thread, because all copies of tfjs in one thread share their
 * state.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { MessageChannel, Worker, type MessagePort } from "node:worker_threads";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildRuntime, RUNTIME } from "../../../scripts/build/runtime.ts";
import { randomModel, type RandomModel } from "../../../scripts/bench/support/interchange/random-model.ts";
import { huggingFaceFiles } from "../../../shared/interchange/hugging-face.ts";
import { bytesOfFile, type OutputFile } from "../../../shared/interchange/output-file.ts";
import { createFusedModel } from "../../../shared/model/decoding/fused-model.ts";
import type { Precision } from "../../../shared/model/decoding/fused-weights.ts";
import { tensorsOf } from "../../../shared/model/formats/weights-file.ts";
import { weightShapes } from "../../../shared/model/weights.ts";
import { startBackend } from "../../../shared/tensor/engine/backend.ts";

type Runtime = typeof import("../../../shared/runtime/tiffin.ts");

const folder = mkdtempSync(join(tmpdir(), "tiffin-runtime-"));
let runtime: Runtime;
let worker: Worker;
let port: MessagePort;
/** Loads a model in the worker. The model replaces the model before. */
const load = (source: string, options = {}) => runtime.loadInWorker(port, source, options);
beforeAll(async () => {
  await buildRuntime();
  const url = pathToFileURL(RUNTIME).href;
  runtime = (await import(url)) as Runtime;
  const { port1, port2 } = new MessageChannel();
  const code = `const { workerData } = require("node:worker_threads"); import(workerData.url).then(({ serveOn }) => serveOn(workerData.port));`;
  worker = new Worker(code, { eval: true, workerData: { url, port: port2 }, transferList: [port2] });
  port = port1;
  await startBackend();
});
afterAll(async () => {
  await worker.terminate();
  rmSync(folder, { recursive: true });
});

/** Writes files to the folder `name` and returns its path. */
async function written(name: string, files: readonly OutputFile[]): Promise<string> {
  for (const file of files) {
    const path = join(folder, name, file.path);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, await bytesOfFile(file));
  }
  return join(folder, name);
}

/** Greedy ids of the Workers' decoder, and the logits after them. */
function decoded(model: RandomModel, ids: readonly number[], steps: number, precision: Precision = "float32") {
  const arrays = weightShapes(model.config).map(([name, shape]) => ({ name, shape, data: model.values.get(name)! }));
  const decoder = createFusedModel(tensorsOf(arrays), model.config, precision).start();
  let logits = decoder.prefill(ids);
  const made: number[] = [];
  for (let step = 0; step < steps; step++) {
    made.push(logits.indexOf(logits.reduce((most, each) => Math.max(most, each))));
    logits = decoder.step(made.at(-1)!);
  }
  return { made, logits };
}

const IDS = [5, 72, 100, 101, 260, 33, 34, 35, 272, 273];
const SHAPES = { "the usual shape": {}, tied: { tiedEmbeddings: true }, "one key head": { kvHeads: 1 }, "head width 2": { headWidth: 2 } };

test("the module has no training code, no schema library and no emscripten", () => {
  const code = readFileSync(RUNTIME, "utf8");
  for (const word of ["adamUpdate(", "AdamOptimizer", "ZodError", "emscripten"]) expect(code.includes(word)).toBe(false);
});

describe("a model of a folder", () => {
  test.each(Object.entries(SHAPES))("of %s has the logits of the Workers bit for bit", async (name, changes) => {
    const own = randomModel(changes);
    const source = await written(name, huggingFaceFiles(own, "F32"));
    const packed = await load(source, { precision: "int8" });
    const expected = decoded(own, IDS, 20, "int8");
    expect(Buffer.from(await packed.logits([...IDS, ...expected.made])).equals(Buffer.from(expected.logits))).toBe(true);
    await packed.dispose();
    const model = await load(source);
    const { made, logits } = decoded(own, IDS, 20);
    expect(Buffer.from(await model.logits([...IDS, ...made])).equals(Buffer.from(logits))).toBe(true);
    expect(await model.detokenize(await model.tokenize("the thin\n"))).toBe("the thin\n");
    await model.dispose();
  });

  test("in bfloat16 is read exactly", async () => {
    const own = randomModel({}, "BF16");
    const model = await load(await written("bf16", huggingFaceFiles(own, "BF16")));
    expect(Buffer.from(await model.logits(IDS)).equals(Buffer.from(decoded(own, IDS, 0).logits))).toBe(true);
    await model.dispose();
  });

  test("gives equal answers whole and streamed, and stops when its reader leaves", async () => {
    const model = await load(await written("answers", huggingFaceFiles(randomModel(), "F32")));
    const options = { temperature: 0, maxTokens: 12 };
    const whole = await model.generate("the", options);
    let pieces = "";
    for await (const piece of model.stream([...(await model.tokenize("the\n"))], options)) pieces += piece;
    expect(whole.length).toBeGreaterThan(0);
    expect(pieces).toBe(whole);
    expect(await model.generate("the", { seed: 3 })).toBe(await model.generate("the", { seed: 3 }));
    let count = 0;
    for await (const _ of model.stream("the", options)) if (++count === 2) break;
    expect(count).toBe(2);
    await model.dispose();
  });

  test("reports its progress, and its errors reach the page", async () => {
    await expect(load(join(folder, "nothing"))).rejects.toThrow("nothing/config.json: expected a file");
    const progress: number[] = [];
    const source = await written("progress", huggingFaceFiles(randomModel(), "F32"));
    const model = await load(source, { onProgress: (done: number, total: number) => progress.push(done / total) });
    expect(progress.at(-1)).toBe(1);
    await expect(model.logits([9999])).rejects.toThrow("expected ids below 278");
    await model.dispose();
  });
});

describe("refuses by name", () => {
  const own = randomModel();
  const changed = (path: string, change: (text: string) => string) =>
    Promise.all(
      huggingFaceFiles(own, "F32").map(async (file): Promise<OutputFile> => {
        if (file.path !== path) return file;
        const bytes = Buffer.from(await bytesOfFile(file));
        const encoding = path.endsWith(".json") ? "utf8" : "latin1";
        return { path, pieces: [new Uint8Array(Buffer.from(change(bytes.toString(encoding)), encoding))] };
      }),
    );
  test.each([
    ["config.json", '"rope_scaling": null', '"rope_scaling": {"rope_type": "yarn"}', "config.json: rope_scaling"],
    ["config.json", '"hidden_size": 64', '"hidden_size": "64"', "config.json: hidden_size"],
    ["config.json", '"hidden_size": 64', '"hidden_size": 32', "model.embed_tokens.weight: expected [278,32], got [278,64]"],
    ["config.json", '"num_hidden_layers": 2', '"num_hidden_layers": 1', "model.layers.1.input_layernorm.weight: expected [no such tensor]"],
    ["generation_config.json", '"eos_token_id": 0', '"eos_token_id": "0"', "eos_token_id"],
    ["tokenizer.json", '"type":"BPE"', '"type":"Unigram"', "model.type"],
    ["model.safetensors", '"dtype":"F32"', '"dtype":"F64"', "dtype: expected one of F32, BF16"],
  ] as const)("%s with %s changed", async (path, from, to, message) => {
    let isFound = false;
    const files = await changed(path, (text) => {
      isFound = text.includes(from);
      return text.replace(from, to);
    });
    expect(isFound).toBe(true);
    await expect(load(await written("refused", files))).rejects.toThrow(message);
  });

  test("weights that end early or are not finite", async () => {
    const half = await changed("model.safetensors", (text) => text.slice(0, -1000));
    await expect(load(await written("half", half))).rejects.toThrow("expected data to end by");
    const infinite = await changed("model.safetensors", (text) => `${text.slice(0, -4)}\u0000\u0000\u0080\u007f`);
    await expect(load(await written("infinite", infinite))).rejects.toThrow("lm_head.weight: expected finite values, got Infinity");
  });
});
