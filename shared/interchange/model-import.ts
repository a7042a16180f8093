/**
 * Imports a Qwen3 decoder from a Hugging Face folder or a GGUF file, and checks every field. Weights are read parameter by
 * parameter, so only a part of the model is in memory at once.
 */
import { z } from "zod";
import { MAX_CHAT_TEMPLATE } from "../artifacts.ts";
import type { ModelConfig } from "../config.ts";
import { partition } from "../model/formats/partition.ts";
import { encodeSafetensors } from "../model/formats/safetensors.ts";
import { weightShapes } from "../model/weights.ts";
import { readWhole, type ByteSource, type StoredTensor } from "./byte-source.ts";
import { endTokensOf, readConfig } from "./config-reader.ts";
import { readGgufConfig, readGgufTokenizer } from "./gguf-model.ts";
import { ggufName } from "./gguf-format.ts";
import { readGguf } from "./gguf-reader.ts";
import { fromType, type NumberType } from "./number-types.ts";
import { parseJson, readSafetensorsFolder } from "./safetensors-reader.ts";
import { checkServingMemory } from "./serving-memory.ts";

const MAX_CONFIG_BYTES = 1024 * 1024;
const MAX_TOKENIZER_BYTES = 16 * 1024 * 1024;

export interface ImportedModel {
  config: ModelConfig;
  /** The content of a tokenizer.json. */
  tokenizer: unknown;
  /** Null if the file lists none; the tokenizer's end-of-text token then ends a text. */
  endTokens: readonly number[] | null;
  /** The chat template (Jinja); null if the model has none. */
  chatTemplate: string | null;
  /** Descriptions of the changes that the import made, for people to read. */
  notes: readonly string[];
  /** Reads a parameter. All its values are finite. */
  read(name: string): Promise<Float32Array<ArrayBuffer>>;
}

type Tensors = ReadonlyMap<string, StoredTensor<NumberType>>;

/**
 * Throws for a tensor that is missing, has another shape, or does not belong to the decoder. The error uses the file's name of
 * the tensor.
 */
function checkTensors(file: string, config: ModelConfig, tensors: Tensors, nameOf: (name: string) => string): void {
  const wanted = new Map(weightShapes(config).map(([name, shape]) => [nameOf(name), shape]));
  for (const [name, shape] of wanted) {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw new Error(`${file}: ${name}: expected a tensor [${shape}], found none`);
    if (tensor.shape.join() !== shape.join()) throw new Error(`${file}: ${name}: expected [${shape}], got [${tensor.shape}]`);
  }
  for (const name of tensors.keys())
    if (!wanted.has(name)) throw new Error(`${file}: ${name}: expected only tensors of a Qwen3 decoder without biases, got another tensor`);
}

async function readTensor(name: string, { source, type, start, end }: StoredTensor<NumberType>): Promise<Float32Array<ArrayBuffer>> {
  const values = fromType(type, await source.read(start, end));
  for (let at = 0; at < values.length; at++)
    if (!Number.isFinite(values[at])) throw new Error(`${source.name}: ${name}: expected finite values, got ${values[at]} at ${at}`);
  return values;
}

/** Some exporters store the output matrix even if it is tied. It is accepted if it equals the embeddings. */
async function dropTiedHead(file: string, tensors: Map<string, StoredTensor<NumberType>>): Promise<void> {
  const [head, table] = [tensors.get("lm_head.weight"), tensors.get("model.embed_tokens.weight")];
  if (head === undefined || table === undefined) return;
  const same = head.end - head.start === table.end - table.start && head.type === table.type;
  const [headBytes, tableBytes] = same
    ? [await head.source.read(head.start, head.end), await table.source.read(table.start, table.end)]
    : [new Uint8Array(), new Uint8Array()];
  if (!same || headBytes.some((byte, at) => byte !== tableBytes[at]))
    throw new Error(
      `${file}: lm_head.weight: expected the values of the embeddings, because tie_word_embeddings is true, got other values`,
    );
  tensors.delete("lm_head.weight");
}

const tokenizerConfigSchema = z.object({
  chat_template: z.union([z.string(), z.array(z.object({ name: z.string(), template: z.string() }))]).nullish(),
});

/** The chat template of a folder: a file of its own in newer folders, a field of tokenizer_config.json in older ones. */
async function templateOfFolder(open: (path: string) => Promise<ByteSource | null>): Promise<string | null> {
  const file = await open("chat_template.jinja");
  if (file !== null) return new TextDecoder().decode(await readWhole(file, MAX_CONFIG_BYTES));
  const config = await open("tokenizer_config.json");
  if (config === null) return null;
  const parsed = tokenizerConfigSchema.safeParse(parseJson(config.name, await readWhole(config, MAX_TOKENIZER_BYTES)));
  if (!parsed.success) throw new Error(`${config.name}: ${z.prettifyError(parsed.error)}`);
  const { chat_template: template } = parsed.data;
  if (typeof template === "string") return template;
  return template?.find(({ name }) => name === "default")?.template ?? null;
}

/** The template if exports can keep it. `notes` gets the reason if they cannot. */
function keptTemplate(template: unknown, notes: string[]): string | null {
  if (typeof template !== "string" || template === "") return null;
  if (template.length <= MAX_CHAT_TEMPLATE) return template;
  notes.push(`chat_template: the template of ${template.length} characters is not kept, the longest is ${MAX_CHAT_TEMPLATE}`);
  return null;
}

/** Reads a Hugging Face folder. `open` returns null for a missing file. Throws an error that names the first invalid field or tensor. */
export async function importFolder(open: (path: string) => Promise<ByteSource | null>): Promise<ImportedModel> {
  const needed = async (path: string, maxBytes: number) => {
    const source = await open(path);
    if (source === null) throw new Error(`folder: expected ${path}, found none`);
    return parseJson(path, await readWhole(source, maxBytes));
  };
  const notes: string[] = [];
  const { config, endTokens } = readConfig("config.json", await needed("config.json", MAX_CONFIG_BYTES), notes);
  checkServingMemory("config.json", config);
  const generation = await open("generation_config.json");
  const generationEnd = generation === null ? null : endTokensOf(parseJson(generation.name, await readWhole(generation, MAX_CONFIG_BYTES)));
  const tokenizer = await needed("tokenizer.json", MAX_TOKENIZER_BYTES);
  const chatTemplate = keptTemplate(await templateOfFolder(open), notes);
  const tensors = await readSafetensorsFolder(open);
  if (config.tiedEmbeddings) await dropTiedHead("safetensors", tensors);
  checkTensors("safetensors", config, tensors, (name) => name);
  return {
    config,
    tokenizer,
    // generation_config.json has priority, as in transformers.
    endTokens: generationEnd ?? endTokens,
    chatTemplate,
    notes,
    read: (name) => readTensor(name, tensors.get(name)!),
  };
}

/** Reads a GGUF file. Throws an error that names the first invalid key or tensor. */
export async function importGguf(source: ByteSource): Promise<ImportedModel> {
  const { metadata, tensors } = await readGguf(source);
  const notes: string[] = [];
  const config = readGgufConfig(source.name, metadata, !tensors.has("output.weight"), notes);
  checkServingMemory(source.name, config);
  const { tokenizer, endTokens } = readGgufTokenizer(source.name, metadata);
  checkTensors(source.name, config, tensors, ggufName);
  const chatTemplate = keptTemplate(metadata.get("tokenizer.chat_template"), notes);
  return { config, tokenizer, endTokens, chatTemplate, notes, read: (name) => readTensor(ggufName(name), tensors.get(ggufName(name))!) };
}

/** Encodes the model in parts, in the form in which models are stored here. */
export async function* partsOfImport({ config, read }: Pick<ImportedModel, "config" | "read">): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (const part of partition(config)) {
    const arrays = [];
    for (const [name, shape] of part) arrays.push({ name, shape, data: await read(name) });
    yield encodeSafetensors(arrays);
  }
}
