/**
 * `npm run bench -- interchange [--windows 20] [--files 10000] [--json]`: compares the active model of this folder's state in
 * Tiffin and in other runtimes. The first run installs these runtimes into .tiffin/consumers. The bench compares:
 * - token ids and texts with both libraries of Hugging Face and llama.cpp;
 * - logits with llama.cpp and onnxruntime, also for eleven other shapes with random weights;
 * - greedy text of `/generate` with llama.cpp and transformers.js.
 * It also measures the bytes per token compared with the former rule for words, how much smaller number types cost on held-out
 * text, how much memory an export takes, and how damaged files are handled.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createTestHarness } from "wrangler";
import { z } from "zod";
import { datasetSchema, objectKey } from "../../shared/artifacts.ts";
import type { ModelConfig } from "../../shared/config.ts";
import { EXPORT_TYPES } from "../../shared/interchange/formats.ts";
import { ggufFile } from "../../shared/interchange/gguf-writer.ts";
import { onnxFile } from "../../shared/interchange/onnx-writer.ts";
import { bytesOfFile } from "../../shared/interchange/output-file.ts";
import { provenanceSchema } from "../../shared/interchange/provenance.ts";
import { safetensorsFiles } from "../../shared/interchange/safetensors-writer.ts";
import { decodeTokenShard } from "../../shared/tokenizer/token-shard.ts";
import type { Print } from "../cli/runner.ts";
import { Client } from "../local/client.ts";
import { reachTiffin, type Reached } from "../local/reach.ts";
import { ROOT } from "../local/workers.ts";
import { largestDifference, rowsOf } from "./support/interchange/comparisons.ts";
import { bytesPerToken } from "./support/bytes-per-token.ts";
import { defaultCorpus } from "./support/default-corpus.ts";
import { installConsumers, LlamaRuntime, OnnxRuntime, transformersOf } from "./support/interchange/consumers.ts";
import { measureExports } from "./support/interchange/export-memory.ts";
import { compareGreedy } from "./support/interchange/greedy.ts";
import { KINDS, readMutations } from "./support/interchange/hostile.ts";
import { trainImport } from "./support/interchange/trained-import.ts";
import { randomModel } from "./support/interchange/random-model.ts";
import { compareTypes, type TypeCost } from "./support/interchange/smaller-types.ts";
import { compareTokens } from "./support/interchange/token-comparison.ts";
import { getLocalObject } from "./support/local-objects.ts";

const OUT = join(ROOT, ".tiffin", "interchange");
const STATE = join(ROOT, ".wrangler", "state");
const MAX_LOGIT_DIFFERENCE = 5e-5;
const MIN_POSITIONS = 100;
const MAX_EXPORT_MB = 16;
/**
 * Shapes that other readers have handled wrongly: tied embeddings, grouped heads, head widths other than width / heads, odd
 * vocabularies.
 */
const SHAPES: Readonly<Record<string, Partial<ModelConfig>>> = {
  tied: { tiedEmbeddings: true },
  "grouped queries": { heads: 8, kvHeads: 2 },
  "one key head": { kvHeads: 1 },
  "head width 2": { headWidth: 2 },
  "head width 8": { headWidth: 8 },
  "head width 128": { headWidth: 128 },
  "heads wider than the model": { heads: 8, headWidth: 32 },
  "heads narrower than the model": { heads: 2, kvHeads: 2, headWidth: 16 },
  "odd vocabulary": { vocabSize: 311 },
  "theta 1e6": { ropeTheta: 1e6 },
  "one layer, tied, grouped": { layers: 1, tiedEmbeddings: true, heads: 4, kvHeads: 2 },
};

const templateSchema = z.object({ chat_template: z.string() });

export const FLAGS = { windows: 20, files: 10_000 };

const bytesAt = async ({ url, token }: Reached, path: string): Promise<Uint8Array> => {
  const response = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${token}` } });
  if (!response.ok) throw new Error(`GET ${path}: expected 200, got ${response.status}: ${(await response.text()).slice(0, 500)}`);
  return new Uint8Array(await response.arrayBuffer());
};

/** Writes a file into the bench's folder and returns its path. */
function put(name: string, bytes: Uint8Array): string {
  mkdirSync(OUT, { recursive: true });
  const path = join(OUT, name);
  writeFileSync(path, bytes);
  return path;
}

/** Tiffin's own logits, computed in workerd. */
async function startOurs() {
  const server = createTestHarness({ workers: [{ configPath: join(import.meta.dirname, "workers/logits/wrangler.toml") }] });
  await server.listen();
  let vocabSize = 0;
  return {
    close: () => server.close(),
    async load(config: ModelConfig, safetensors: Uint8Array) {
      const query = new URLSearchParams({ model: JSON.stringify(config) });
      const response = await server.fetch(`http://logits/?${query}`, { method: "POST", body: safetensors as Uint8Array<ArrayBuffer> });
      if (!response.ok) throw new Error(`logits: expected the model to load, got ${response.status}: ${await response.text()}`);
      vocabSize = config.vocabSize;
    },
    async logits(ids: readonly number[]): Promise<Float32Array[]> {
      const response = await server.fetch(`http://logits/?ids=${ids.join(",")}`, { method: "POST" });
      if (!response.ok) throw new Error(`logits: expected logits, got ${response.status}: ${await response.text()}`);
      return rowsOf(new Float32Array(await response.arrayBuffer()), vocabSize);
    },
  };
}
type Ours = Awaited<ReturnType<typeof startOurs>>;

async function compareShapes(ours: Ours, print: Print): Promise<Record<string, number>> {
  const differences: Record<string, number> = {};
  for (const [name, changes] of Object.entries(SHAPES)) {
    const model = randomModel(changes);
    const [safetensors] = safetensorsFiles(model, "F32");
    await ours.load(model.config, await bytesOfFile(safetensors!));
    const ids = Array.from({ length: 40 }, (_, at) => (at * 37 + 5) % 270);
    const expected = await ours.logits(ids);
    const llama = await LlamaRuntime.open(put("shape.gguf", await bytesOfFile(ggufFile(model, "F32", "shape.gguf"))), model.config.context);
    const inLlama = largestDifference(expected, await llama.logits(ids));
    await llama.close();
    const onnx = await OnnxRuntime.open(put("shape.onnx", await bytesOfFile(onnxFile(model, "F32"))), model.config);
    differences[name] = Math.max(inLlama, largestDifference(expected, await onnx.logits(ids)));
    await onnx.close();
    print(`  ${name}: ${differences[name]!.toExponential(2)}`);
  }
  return differences;
}

/** The largest difference of any logit in llama.cpp, of an imported model that was trained and exported. */
async function compareTrainedImport(ours: Ours): Promise<{ rounds: number; logitDifference: number }> {
  const { rounds, config, safetensors, gguf } = await trainImport();
  await ours.load(config, safetensors);
  const ids = Array.from({ length: config.context }, (_, at) => (at * 37 + 5) % 270);
  const llama = await LlamaRuntime.open(put("trained-import.gguf", gguf), config.context);
  const logitDifference = largestDifference(await ours.logits(ids), await llama.logits(ids));
  await llama.close();
  return { rounds, logitDifference };
}

/**
 * Windows of held-out text, each as long as the context. For a model that was taught lessons, the text comes from its pretraining
 * dataset.
 */
function heldOut(dataset: string, context: number, count: number): number[][] {
  const manifest = datasetSchema.parse(JSON.parse(new TextDecoder().decode(getLocalObject(STATE, objectKey("dataset", dataset)))));
  if (manifest.kind === "sft") {
    if (manifest.replay === undefined) throw new Error(`dataset ${dataset}: expected one with text of the pretraining, got none`);
    return heldOut(manifest.replay, context, count);
  }
  const tokens = decodeTokenShard(getLocalObject(STATE, objectKey("token-shard", manifest.val[0]!.hash)));
  const windows = Math.min(count, Math.floor(tokens.length / context));
  return Array.from({ length: windows }, (_, at) => [...tokens.subarray(at * context, (at + 1) * context)]);
}

/** True if a type's loss and, if given, its most probable tokens are near enough to those of float32. */
const within = ({ lossRatio, sameMostProbable }: TypeCost, ratio: number, same = 0) =>
  Math.abs(lossRatio - 1) <= ratio && sameMostProbable >= same;

export async function run({ windows: count, files }: typeof FLAGS, print: Print): Promise<Record<string, unknown>> {
  // The exports come first: their measurement counts the memory of all workerd processes that this process has started, and later
  // steps start more.
  const exportMB = await measureExports();
  print(
    `an export of preset base holds at most, in MB: ${Object.entries(exportMB)
      .map(([each, megabytes]) => `${each} ${megabytes.toFixed(1)}`)
      .join(", ")}`,
  );
  installConsumers();
  const reached = await reachTiffin();
  const ours = await startOurs();
  try {
    const client = new Client(reached.url, reached.token);
    const file = (path: string) => bytesAt(reached, `/hub/tiffin/active/resolve/main/${path}`);
    const provenance = provenanceSchema.parse(JSON.parse(new TextDecoder().decode(await file("provenance.json"))));
    const { name, model, dataset } = provenance;
    if (dataset === null)
      throw new Error(`bench interchange: expected a model that was trained here, got ${name}: run \`npm start -- --once\` first`);
    print(`${name}: ${provenance.parameters} parameters, context ${model.context}`);
    await ours.load(model, await file("model.safetensors"));
    const paths: Record<string, string> = {};
    for (const type of EXPORT_TYPES.gguf) paths[type] = put(`${type}.gguf`, await file(`${name}-${type}.gguf`));
    const windows = heldOut(dataset, model.context, count);
    const [first] = windows;
    if (first === undefined) throw new Error("bench interchange: expected a window of held-out tokens, found none");

    const exact = await LlamaRuntime.open(paths["F32"]!, model.context);
    const tokenizerPath = put("tokenizer.json", await file("tokenizer.json"));
    const tokens = await compareTokens(tokenizerPath, exact, print);
    print(`ids equal in ${tokens.sameIds} of ${tokens.texts} texts, texts from ids in ${tokens.sameText}`);
    const density = bytesPerToken(await defaultCorpus(), model.vocabSize);
    print(`bytes per token: ${density.bytesPerTokenBefore.toFixed(4)} before, ${density.bytesPerToken.toFixed(4)} now`);

    const expected = await ours.logits(first);
    const inLlama = largestDifference(expected, await exact.logits(first));
    const onnx = await OnnxRuntime.open(put("model.onnx", await file("onnx/model.onnx")), model);
    const inOnnx = largestDifference(expected, await onnx.logits(first));
    await onnx.close();
    const maxLogitDifference = Math.max(inLlama, inOnnx);
    print(
      `largest difference of any logit over ${first.length} positions: llama.cpp ${inLlama.toExponential(2)}, onnxruntime ${inOnnx.toExponential(2)}`,
    );

    const transformers = await transformersOf(reached, `tiffin/${name}`, "fp32");
    const template = templateSchema.parse(JSON.parse(new TextDecoder().decode(await file("tokenizer_config.json")))).chat_template;
    const greedy = await compareGreedy(client, template, exact, transformers, print);
    print(`greedy text equal in ${greedy.inLlama} (llama.cpp) and ${greedy.inTransformers} (transformers.js) of ${greedy.prompts} prompts`);

    const llamaOf = (type: string) => () => LlamaRuntime.open(paths[type]!, model.context);
    const int8 = put("model_quantized.onnx", await file("onnx/model_quantized.onnx"));
    const quantized = await compareTypes(
      windows,
      exact,
      {
        F16: llamaOf("F16"),
        BF16: llamaOf("BF16"),
        Q8_0: llamaOf("Q8_0"),
        Q4_0: llamaOf("Q4_0"),
        "ONNX INT8": () => OnnxRuntime.open(int8, model),
      },
      print,
    );
    await exact.close();
    const int8Answer = await (await transformersOf(reached, `tiffin/${name}`, "q8")).generate("It is", 8);
    print(`transformers.js with dtype q8 continues "It is" by ${JSON.stringify(int8Answer)}`);

    print("shapes, largest difference of any logit:");
    const shapes = await compareShapes(ours, print);

    const trainedImport = await compareTrainedImport(ours);
    print(
      `an imported model, trained for ${trainedImport.rounds} rounds and exported, in llama.cpp: ${trainedImport.logitDifference.toExponential(2)}`,
    );

    const hostile: Record<string, { accepted: number; refused: number; wrong: number }> = {};
    for (const kind of KINDS) {
      const { accepted, refused, wrong } = await readMutations(kind, files, 1);
      hostile[kind] = { accepted, refused, wrong: wrong.length };
      for (const line of wrong.slice(0, 5)) print(`  ${line}`);
      print(`damaged ${kind}: ${refused} refused, ${accepted} read, ${wrong.length} wrong`);
    }

    const ok =
      tokens.sameIds === tokens.texts &&
      tokens.sameText === tokens.texts &&
      first.length >= MIN_POSITIONS &&
      maxLogitDifference <= MAX_LOGIT_DIFFERENCE &&
      trainedImport.logitDifference <= MAX_LOGIT_DIFFERENCE &&
      Object.values(shapes).every((difference) => difference <= MAX_LOGIT_DIFFERENCE) &&
      greedy.inLlama === greedy.prompts &&
      greedy.inTransformers === greedy.prompts &&
      within(quantized.F16, 0.001, 0.995) &&
      within(quantized.Q8_0, 0.005, 0.98) &&
      within(quantized["ONNX INT8"], 0.005) &&
      int8Answer !== "" &&
      Object.values(exportMB).every((megabytes) => megabytes <= MAX_EXPORT_MB) &&
      Object.values(hostile).every(({ wrong }) => wrong === 0);
    return {
      ok,
      model: name,
      ...tokens,
      positions: first.length,
      maxLogitDifference,
      llamaDifference: inLlama,
      onnxDifference: inOnnx,
      greedyPrompts: greedy.prompts,
      bytesPerToken: density.bytesPerToken,
      bytesPerTokenBefore: density.bytesPerTokenBefore,
      greedySame: Math.min(greedy.inLlama, greedy.inTransformers),
      f16LossRatio: quantized.F16.lossRatio,
      q8LossRatio: quantized.Q8_0.lossRatio,
      onnxInt8LossRatio: quantized["ONNX INT8"].lossRatio,
      quantized,
      shapes,
      trainedImport,
      exportMB,
      hostile,
    };
  } finally {
    await ours.close();
    await reached.close();
  }
}
