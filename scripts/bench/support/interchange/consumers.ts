/**
 * Other runtimes that read exported models. They are installed into their own folder under .tiffin, because together they are
 * larger than the rest of the project; neither the project nor its tests depend on them. Their types declare only the calls
 * that the bench makes.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { ModelConfig } from "../../../../shared/config.ts";
import { ROOT } from "../../../local/workers.ts";
import { rowsOf } from "./comparisons.ts";

const FOLDER = join(ROOT, ".tiffin", "consumers");
export const CONSUMER_PACKAGES = join(FOLDER, "node_modules");
const CACHE = join(FOLDER, "cache");
/** The package of this platform is named explicitly. Installing optional dependencies instead would add GPU builds of 640 MB. */
const PACKAGES = {
  "node-llama-cpp": "3.22.1",
  "@node-llama-cpp/linux-x64": "3.22.1",
  "onnxruntime-node": "1.30.0",
  "@huggingface/transformers": "4.3.2",
  "@wllama/wllama": "3.8.1",
  tokenizers: "0.23.2",
} as const;

/** Installs missing packages. Install scripts are off, because two of the packages would download further binaries. */
export function installConsumers(): void {
  mkdirSync(FOLDER, { recursive: true });
  const manifest = join(FOLDER, "package.json");
  writeFileSync(manifest, JSON.stringify({ private: true, type: "module" }));
  if (Object.keys(PACKAGES).every((name) => existsSync(join(CONSUMER_PACKAGES, name, "package.json")))) return;
  const wanted = Object.entries(PACKAGES).map(([name, version]) => `${name}@${version}`);
  const flags = ["--prefix", FOLDER, "--no-save", "--omit=optional", "--ignore-scripts"];
  const { status, error, stderr } = spawnSync("npm", ["install", ...flags, ...wanted], { cwd: FOLDER, encoding: "utf8" });
  if (status !== 0) throw new Error(`consumers: expected npm to install them, got ${error?.message ?? `exit ${status}\n${stderr}`}`);
}

const require = createRequire(join(FOLDER, "package.json"));
const importOf = (path: string): Promise<unknown> => import(pathToFileURL(join(CONSUMER_PACKAGES, path)).href);

interface LlamaOutput {
  next: { logits?: Map<number, number> };
}
interface LlamaSequence {
  controlledEvaluate(input: [number, { generateNext: { logits: true } }][]): Promise<(LlamaOutput | undefined)[]>;
  evaluate(ids: number[], options: { temperature: 0 }): AsyncIterable<number>;
  clearHistory(): Promise<void>;
}
interface LlamaContext {
  getSequence(): LlamaSequence;
  dispose(): Promise<void>;
}
interface LlamaModel {
  tokenize(text: string, special: boolean): number[];
  detokenize(ids: number[], special?: boolean): string;
  createContext(options: object): Promise<LlamaContext>;
  dispose(): Promise<void>;
}
interface Llama {
  loadModel(options: object): Promise<LlamaModel>;
  dispose(): Promise<void>;
}

let llama: Promise<Llama> | null = null;

async function startLlama(): Promise<Llama> {
  const module = (await importOf("node-llama-cpp/dist/index.js")) as {
    getLlama(options: object): Promise<Llama>;
    LlamaLogLevel: { error: string };
  };
  return module.getLlama({ gpu: false, build: "never", skipDownload: true, progressLogs: false, logLevel: module.LlamaLogLevel.error });
}

/** A GGUF file in llama.cpp, with unchanged weights and a float32 cache. */
export class LlamaRuntime {
  readonly #model: LlamaModel;
  readonly #context: LlamaContext;
  readonly #sequence: LlamaSequence;

  private constructor(model: LlamaModel, context: LlamaContext) {
    this.#model = model;
    this.#context = context;
    this.#sequence = context.getSequence();
  }

  static async open(path: string, positions: number): Promise<LlamaRuntime> {
    const model = await (await (llama ??= startLlama())).loadModel({ modelPath: path, gpuLayers: 0, useMmap: false });
    const options = {
      // llama.cpp shifts a full context and forgets its first positions, so the context is twice as large.
      contextSize: 2 * positions,
      threads: 1,
      flashAttention: false,
      experimentalKvCacheKeyType: "F32",
      experimentalKvCacheValueType: "F32",
    };
    return new LlamaRuntime(model, await model.createContext(options));
  }

  /** The ids of a text. Names of special tokens count as text unless `hasControls`. */
  encode(text: string, hasControls = false): number[] {
    return [...this.#model.tokenize(text, hasControls)];
  }

  decode(ids: readonly number[]): string {
    return this.#model.detokenize([...ids], true);
  }

  /** The logits [V] after each position. */
  async logits(ids: readonly number[]): Promise<Float32Array[]> {
    await this.#sequence.clearHistory();
    const outputs = await this.#sequence.controlledEvaluate(ids.map((id) => [id, { generateNext: { logits: true } }]));
    return outputs.map((output) => {
      const logits = output?.next.logits;
      if (logits === undefined) throw new Error("llama.cpp: expected logits of every position, got none");
      const values = new Float32Array(logits.size);
      for (const [id, value] of logits) values[id] = value;
      return values;
    });
  }

  /** The most probable continuation, until an end token or `length`. */
  async greedy(ids: readonly number[], length: number): Promise<number[]> {
    await this.#sequence.clearHistory();
    const made: number[] = [];
    for await (const id of this.#sequence.evaluate([...ids], { temperature: 0 })) {
      made.push(id);
      if (made.length >= length) break;
    }
    return made;
  }

  async close(): Promise<void> {
    await this.#context.dispose();
    await this.#model.dispose();
  }
}

interface OrtTensor {
  data: Float32Array;
}
interface OrtSession {
  inputNames: string[];
  run(feeds: Record<string, unknown>): Promise<Record<string, OrtTensor>>;
  release(): Promise<void>;
}
interface Ort {
  InferenceSession: { create(path: string, options: object): Promise<OrtSession> };
  Tensor: new (type: string, data: Float32Array | BigInt64Array, shape: number[]) => OrtTensor;
}

/** Runs an ONNX file in onnxruntime. */
export class OnnxRuntime {
  readonly #ort = require("onnxruntime-node") as Ort;
  readonly #session: OrtSession;
  readonly #config: ModelConfig;

  private constructor(session: OrtSession, config: ModelConfig) {
    this.#session = session;
    this.#config = config;
  }

  static async open(path: string, config: ModelConfig): Promise<OnnxRuntime> {
    const { InferenceSession } = require("onnxruntime-node") as Ort;
    return new OnnxRuntime(await InferenceSession.create(path, { intraOpNumThreads: 1 }), config);
  }

  /** The logits [V] after each position. They are computed in two runs, so the second run uses the keys and values of the first. */
  async logits(ids: readonly number[]): Promise<Float32Array[]> {
    const { kvHeads, headWidth, vocabSize } = this.#config;
    const { Tensor } = this.#ort;
    const ints = (values: readonly number[]) => new Tensor("int64", BigInt64Array.from(values, BigInt), [1, values.length]);
    const names = this.#session.inputNames.filter((name) => name.startsWith("past_key_values."));
    const empty = () => new Tensor("float32", new Float32Array(), [1, kvHeads, 0, headWidth]);
    let past = Object.fromEntries(names.map((name) => [name, empty()]));
    const rows: Float32Array[] = [];
    const cut = Math.ceil(ids.length / 3);
    for (const [from, to] of [
      [0, cut],
      [cut, ids.length],
    ] as const) {
      const places = Array.from({ length: to - from }, (_, at) => from + at);
      const outputs = await this.#session.run({
        input_ids: ints(ids.slice(from, to)),
        attention_mask: ints(Array.from({ length: to }, () => 1)),
        position_ids: ints(places),
        ...past,
      });
      rows.push(...rowsOf(outputs["logits"]!.data, vocabSize));
      past = Object.fromEntries(names.map((name) => [name, outputs[name.replace("past_key_values", "present")]!]));
    }
    return rows;
  }

  close(): Promise<void> {
    return this.#session.release();
  }
}

interface RustTokenizer {
  encode(text: string, pair: null, options: { addSpecialTokens: false }): Promise<{ getIds(): number[] }>;
  decode(ids: number[], skipsSpecial: boolean): Promise<string>;
}

/** The Rust library with the given tokenizer.json. */
export async function rustTokenizer(
  path: string,
): Promise<{ encode(text: string): Promise<number[]>; decode(ids: number[]): Promise<string> }> {
  const { Tokenizer } = require("tokenizers") as { Tokenizer: { fromFile(path: string): RustTokenizer } };
  const tokenizer = Tokenizer.fromFile(path);
  return {
    encode: async (text) => (await tokenizer.encode(text, null, { addSpecialTokens: false })).getIds(),
    decode: (ids) => tokenizer.decode(ids, true),
  };
}

/** transformers.js with the model of a running Tiffin, as float32 or int8. `generate` continues a text greedily. */
export async function transformersOf(
  { url, token }: { url: string; token: string },
  name: string,
  dtype: "fp32" | "q8",
): Promise<{ generate(text: string, length: number): Promise<string> }> {
  const module = (await importOf("@huggingface/transformers/dist/transformers.node.mjs")) as {
    env: Record<string, unknown>;
    pipeline(
      task: string,
      model: string,
      options: object,
    ): Promise<(text: string, options: object) => Promise<{ generated_text: string }[]>>;
  };
  rmSync(CACHE, { recursive: true, force: true });
  Object.assign(module.env, {
    allowLocalModels: false,
    // In Node, transformers.js reads a model through its cache. A model that was cached earlier would be read instead of the
    // current model.
    cacheDir: CACHE,
    remoteHost: `${url}/hub/`,
    fetch: (input: string | URL, init: RequestInit = {}) =>
      fetch(input, { ...init, headers: { ...Object.fromEntries(new Headers(init.headers)), authorization: `Bearer ${token}` } }),
  });
  const run = await module.pipeline("text-generation", name, { dtype });
  return {
    generate: async (text, length) => {
      const [made] = await run(text, { max_new_tokens: length, do_sample: false, return_full_text: false });
      return made?.generated_text ?? "";
    },
  };
}
