/**
 * Loads a model from exported files into this thread. It uses the same decoder, tokenizer and sampling as the Worker generator.
 */
import * as tf from "@tensorflow/tfjs-core";
import { promptAndRoom, type ReadablePrompt } from "../generation/fit-prompt.ts";
import { sampleTokens } from "../generation/sample-tokens.ts";
import { TextAssembler } from "../generation/text-assembler.ts";
import { createFusedModel } from "../model/decoding/fused-model.ts";
import { NO_PENALTIES } from "../model/penalties.ts";
import { templateOf } from "../tokenizer/chat-template.ts";
import { loadTokenizer } from "../tokenizer/json-reader.ts";
import { MESSAGE_END } from "../tokenizer/special-tokens.ts";
import { nextTurn } from "./next-turn.ts";
import { filesOf } from "./model-files.ts";
import { readConfig, readGeneration } from "./read-config.ts";
import { readWeights } from "./read-weights.ts";
import type { GenerateOptions, LoadOptions, LocalModel, Prompt } from "./local-model.ts";

/** The default of `/generate`. */
const DEFAULT_MAX_TOKENS = 64;

function readable(prompt: Prompt): ReadablePrompt {
  if (typeof prompt === "string") return { kind: "chat", messages: [{ role: "user", content: prompt }] };
  if (prompt.every((item) => typeof item === "number")) return { kind: "tokens", ids: prompt };
  return { kind: "chat", messages: prompt };
}

/** Loads the model at an address or, in Node, in a folder. The backend must run. Throws an error that names the unsupported file and field. */
export async function loadModel(
  source: string,
  { token, precision = "float32", onProgress = () => undefined }: LoadOptions,
): Promise<LocalModel> {
  const files = filesOf(source, token === undefined ? {} : { token });
  const [config, generation, tokenizer] = await Promise.all([
    files.json("config.json").then(readConfig),
    files.json("generation_config.json").then(readGeneration),
    files.json("tokenizer.json").then(loadTokenizer),
  ]);
  if (tokenizer.vocabSize > config.vocabSize)
    throw new Error(`tokenizer.json: expected ids below ${config.vocabSize}, the rows of the embeddings, got ${tokenizer.vocabSize - 1}`);
  const endTokens = new Set(generation.endTokens);
  const chatTemplate = templateOf(generation.endTokens, tokenizer.findId(MESSAGE_END));
  const { stream, size } = await files.open("model.safetensors");
  const weights = await readWeights(config, stream, size, onProgress);
  const decoding = createFusedModel(weights, config, precision);

  async function* answer(prompt: Prompt, options: GenerateOptions = {}): AsyncGenerator<string> {
    const settings = { ...NO_PENALTIES, ...generation.sampling, ...options };
    const model = { config, tokenizer, chatTemplate };
    const { ids, room } = promptAndRoom(model, readable(prompt), options.maxTokens ?? DEFAULT_MAX_TOKENS);
    const seed = options.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]!;
    const text = new TextAssembler(options.stop ?? [], true);
    const decoder = decoding.start();
    try {
      const limits = { maxTokens: room, context: config.context, alternatives: 0, isEnd: (id: number) => endTokens.has(id) };
      const start = { decoder, logits: decoder.prefill(ids), prompt: new Set(ids) };
      for (const { id } of sampleTokens(start, settings, seed, limits)) {
        const { delta, isStopped } = text.push(tokenizer.decodeBytes([id]));
        yield delta;
        if (isStopped) return;
        await nextTurn();
      }
      const rest = text.end();
      if (rest !== "") yield rest;
    } finally {
      decoder.dispose();
    }
  }

  return {
    config,
    tokenize: async (text) => tokenizer.encode(text),
    detokenize: async (ids) => tokenizer.decode(ids),
    async logits(ids) {
      const decoder = decoding.start();
      try {
        return decoder.prefill(ids);
      } finally {
        decoder.dispose();
      }
    },
    stream: answer,
    async generate(prompt, options) {
      let text = "";
      for await (const delta of answer(prompt, options)) text += delta;
      return text;
    },
    async dispose() {
      decoding.dispose();
      tf.dispose(weights);
    },
  };
}
