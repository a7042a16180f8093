/** Imported models: round trips bit for bit, and a refusal by name for each feature that this decoder does not support. */
import { describe, expect, test } from "vitest";
import type { ModelConfig } from "../../../shared/config.ts";
import { sourceOfBytes } from "../../../shared/interchange/byte-source.ts";
import { ggufFile } from "../../../shared/interchange/gguf-writer.ts";
import { huggingFaceFiles } from "../../../shared/interchange/hugging-face.ts";
import { importFolder, importGguf, partsOfImport, type ImportedModel } from "../../../shared/interchange/model-import.ts";
import { fromType, toType } from "../../../shared/interchange/number-types.ts";
import { bytesOfFile, textFile, type OutputFile } from "../../../shared/interchange/output-file.ts";
import { createParameterReader } from "../../../shared/interchange/published-model.ts";
import { safetensorsFiles } from "../../../shared/interchange/safetensors-writer.ts";
import { encodeHeader, encodeSafetensors } from "../../../shared/model/formats/safetensors.ts";
import { weightShapes } from "../../../shared/model/weights.ts";
import { loadTokenizer } from "../../../shared/tokenizer/json-reader.ts";
import {
  areSame,
  folderOf,
  randomModel,
  tokenizerJson,
  type RandomModel,
} from "../../../scripts/bench/support/interchange/random-model.ts";

const SHAPES: [string, Partial<ModelConfig>][] = [
  ["the plain shape", {}],
  ["tied embeddings", { tiedEmbeddings: true }],
  ["one key head", { kvHeads: 1 }],
  ["heads wider than the model", { headWidth: 32 }],
  ["the narrowest head", { headWidth: 2 }],
  ["an odd vocabulary", { vocabSize: 311 }],
  ["another theta and epsilon", { ropeTheta: 1e6, normEpsilon: 1e-5 }],
];

/** The values after storing the model and reading it back, which an export would write. */
async function storedValues(model: ImportedModel): Promise<Map<string, Float32Array>> {
  const parts: Uint8Array[] = [];
  for await (const part of partsOfImport(model)) parts.push(part);
  const reader = createParameterReader(model.config, async (index) => parts[index]!);
  const values = new Map<string, Float32Array>();
  for (const [name] of weightShapes(model.config)) values.set(name, await reader.read(name));
  return values;
}

/** The properties of an import that the tests compare with the original model. */
async function copyOf(imported: ImportedModel, model: RandomModel): Promise<object> {
  const { config, endTokens, chatTemplate, notes } = imported;
  return { config, endTokens, chatTemplate, notes, areSame: areSame(await storedValues(imported), model.values) };
}
const exactly = ({ config, endTokens, chatTemplate }: RandomModel) => ({ config, endTokens, chatTemplate, notes: [], areSame: true });

describe.each(SHAPES)("%s", (_, changes) => {
  test("comes back from a Hugging Face folder in F32 and BF16", async () => {
    const exact = randomModel(changes);
    expect(await copyOf(await importFolder(await folderOf(huggingFaceFiles(exact, "F32"))), exact)).toEqual(exactly(exact));
    const short = randomModel(changes, "BF16");
    expect(await copyOf(await importFolder(await folderOf(huggingFaceFiles(short, "BF16"))), short)).toEqual(exactly(short));
  });

  test("comes back from GGUF in F32, F16 and BF16", async () => {
    for (const type of ["F32", "F16", "BF16"] as const) {
      const model = randomModel(changes, type);
      expect(
        await copyOf(await importGguf(sourceOfBytes("model.gguf", await bytesOfFile(ggufFile(model, type, "model.gguf")))), model),
      ).toEqual(exactly(model));
    }
  });
});

test("a chat template comes from a file of its own, from a named list, or not at all", async () => {
  const rest = huggingFaceFiles(randomModel(), "F32").filter(({ path }) => path !== "tokenizer_config.json");
  const templateOf = async (...files: OutputFile[]) => (await importFolder(await folderOf([...rest, ...files]))).chatTemplate;
  const named = [
    { name: "tool_use", template: "a" },
    { name: "default", template: "b" },
  ];
  const listed = textFile("tokenizer_config.json", JSON.stringify({ chat_template: named }));
  expect(await templateOf()).toBe(null);
  expect(await templateOf(listed)).toBe("b");
  expect(await templateOf(listed, textFile("chat_template.jinja", "c"))).toBe("c");
  const long = await importFolder(await folderOf([...rest, textFile("chat_template.jinja", "x".repeat(32_001))]));
  expect([long.chatTemplate, long.notes]).toEqual([null, [expect.stringContaining("chat_template: the template of 32001 characters")]]);
  await expect(templateOf(textFile("tokenizer_config.json", '{"chat_template":7}'))).rejects.toThrow("chat_template");
});

test("a folder of shards and a folder in F16 come back", async () => {
  const model = randomModel({}, "F16");
  const rest = huggingFaceFiles(model, "F32").filter(({ path }) => path !== "model.safetensors");
  expect(await copyOf(await importFolder(await folderOf([...rest, ...safetensorsFiles(model, "F32", 50_000)])), model)).toEqual(
    exactly(model),
  );
  expect(await copyOf(await importFolder(await folderOf([...rest, halfFile(model)])), model)).toEqual(exactly(model));
});

/** A safetensors file in F16, which our exports never write. Its tensors are in alphabetical order, as in files of others. */
function halfFile(model: RandomModel): OutputFile {
  const entries: Record<string, unknown> = { __metadata__: { format: "pt" } };
  const data: Uint8Array[] = [];
  let offset = 0;
  for (const [name, shape] of weightShapes(model.config).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const bytes = toType("F16", model.values.get(name)!);
    entries[name] = { dtype: "F16", shape, data_offsets: [offset, offset + bytes.byteLength] };
    offset += bytes.byteLength;
    data.push(bytes);
  }
  return safetensorsOf(JSON.stringify(entries), data);
}

function safetensorsOf(header: string, data: readonly Uint8Array[]): OutputFile {
  const json = new TextEncoder().encode(header);
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(json.byteLength), true);
  return { path: "model.safetensors", pieces: [length, json, ...data] };
}

test("Q8_0 is imported as exactly the numbers of the file, and exported as the same file", async () => {
  const model = randomModel();
  const bytes = await bytesOfFile(ggufFile(model, "Q8_0", "model.gguf"));
  const imported = await importGguf(sourceOfBytes("model.gguf", bytes));
  const name = "model.layers.1.mlp.up_proj.weight";
  expect(await imported.read(name)).toEqual(fromType("Q8_0", toType("Q8_0", model.values.get(name)!)));
  const again = await bytesOfFile(ggufFile({ ...model, parameters: imported }, "Q8_0", "model.gguf"));
  expect(Buffer.from(again).equals(bytes)).toBe(true);
});

test("the tokenizer of a GGUF file equals the exported tokenizer", async () => {
  const { tokenizer } = await importGguf(sourceOfBytes("model.gguf", await bytesOfFile(ggufFile(randomModel(), "F32", "model.gguf"))));
  const [ours, theirs] = [loadTokenizer(tokenizerJson()), loadTokenizer(tokenizer)];
  for (const text of ["The thing in the inn, then.", "", " the\n\n the", "Grüße 🙂"])
    expect(theirs.encode(text)).toEqual(ours.encode(text));
});

test("a longer context is cut, with a note", async () => {
  const { config, notes } = await importFolder(await folderOf(huggingFaceFiles(randomModel({ context: 40_960 }), "F32")));
  expect([config.context, notes]).toEqual([
    8192,
    ["max_position_embeddings: the context of 40960 tokens is cut to 8192, the longest here"],
  ]);
});

test("a tied head that is written out is accepted if it equals the embeddings", async () => {
  const model = randomModel({ tiedEmbeddings: true });
  const rest = huggingFaceFiles(model, "F32").filter(({ path }) => path !== "model.safetensors");
  const table = model.values.get("model.embed_tokens.weight")!;
  const withHead = (head: Float32Array) => {
    const arrays = [
      ...weightShapes(model.config).map(([name, shape]) => ({ name, shape, data: model.values.get(name)! as Float32Array })),
      { name: "lm_head.weight", shape: [278, 64], data: head },
    ];
    return [...rest, { path: "model.safetensors", pieces: [encodeSafetensors(arrays)] }];
  };
  expect(await copyOf(await importFolder(await folderOf(withHead(table))), model)).toEqual(exactly(model));
  const other = table.map((value, at) => (at === 5 ? value + 1 : value));
  await expect(importFolder(await folderOf(withHead(other)))).rejects.toThrow("lm_head.weight: expected the values of the embeddings");
});

const files = huggingFaceFiles(randomModel(), "F32");
const configText = async () =>
  JSON.parse(new TextDecoder().decode(await bytesOfFile(files.find(({ path }) => path === "config.json")!))) as Record<string, unknown>;
const withFile = (file: OutputFile) => [...files.filter(({ path }) => path !== file.path), file];

test.each<[string, Record<string, unknown>]>([
  ["model_type", { model_type: "llama" }],
  ["model_type", { model_type: "qwen3_moe" }],
  ["architectures", { architectures: ["Qwen3ForSequenceClassification"] }],
  ["rope_scaling", { rope_scaling: { rope_type: "yarn", factor: 4 } }],
  ["rope_type", { rope_parameters: { rope_type: "yarn", rope_theta: 10_000, factor: 4 } }],
  ["rope_theta", { rope_parameters: { rope_type: "default", rope_theta: 20_000 } }],
  ["rope_theta", { rope_theta: undefined, rope_parameters: null }],
  ["attention_bias", { attention_bias: true }],
  ["use_sliding_window", { use_sliding_window: true }],
  ["layer_types", { layer_types: ["full_attention", "sliding_attention"] }],
  ["layer_types", { layer_types: ["full_attention"] }],
  ["hidden_act", { hidden_act: "gelu" }],
  ["quantization_config", { quantization_config: { bits: 4 } }],
  ["partial_rotary_factor", { partial_rotary_factor: 0.5 }],
  ["tie_word_embeddings", { tie_word_embeddings: "yes" }],
  ["head_dim", { head_dim: undefined }],
  ["head_dim", { head_dim: 7 }],
  ["num_key_value_heads", { num_key_value_heads: 3 }],
  ["num_attention_heads", { num_attention_heads: 2 ** 40 }],
  ["hidden_size", { hidden_size: -64 }],
  ["intermediate_size", { intermediate_size: 1e300 }],
  ["rms_norm_eps", { rms_norm_eps: 0 }],
  ["vocab_size", { vocab_size: 151_936 }],
  ["memory: expected a model that fits into an isolate of 128 MiB, got a model that needs", { vocab_size: 60_000, hidden_size: 1024 }],
  ["model.embed_tokens.weight: expected [279,64], got [278,64]", { vocab_size: 279 }],
  ["model.layers.2.input_layernorm.weight: expected a tensor", { num_hidden_layers: 3, layer_types: null }],
  ["model.layers.1.input_layernorm.weight: expected only tensors", { num_hidden_layers: 1, layer_types: null }],
  ["self_attn.q_proj.weight: expected [32,64], got [64,64]", { head_dim: 8 }],
])("config.json is refused with the error %s (%j)", async (field, changes) => {
  const config = Object.fromEntries(Object.entries({ ...(await configText()), ...changes }).filter(([, value]) => value !== undefined));
  const open = await folderOf(withFile(textFile("config.json", JSON.stringify(config))));
  await expect(importFolder(open).then(({ read }) => read("model.norm.weight"))).rejects.toThrow(field);
});

test.each<[string, OutputFile]>([
  ["config.json", textFile("config.json", "{")],
  ["config.json", textFile("config.json", "[]")],
  ["tokenizer.json", textFile("tokenizer.json", "\u0000")],
  ["generation_config.json", textFile("generation_config.json", "{'a': 1}")],
  ["model.safetensors.index.json", textFile("model.safetensors.index.json", "{}")],
  ["weight_map", textFile("model.safetensors.index.json", JSON.stringify({ weight_map: { a: "../other.safetensors" } }))],
  [
    "weight_map: expected a file b.safetensors",
    textFile("model.safetensors.index.json", JSON.stringify({ weight_map: { a: "b.safetensors" } })),
  ],
  ["as the index says", textFile("model.safetensors.index.json", JSON.stringify({ weight_map: { a: "model.safetensors" } }))],
  ["expected at least 8 bytes", textFile("model.safetensors", "abc")],
  ["expected a header of at most", textFile("model.safetensors", "\u00ff".repeat(8))],
])("a broken file is refused with the error %s", async (what, file) => {
  await expect(importFolder(await folderOf(withFile(file)))).rejects.toThrow(what);
});

test("a parameter that is not finite is refused by name when its part is read", async () => {
  const model = randomModel();
  model.values.get("model.layers.0.mlp.down_proj.weight")![17] = Number.NaN;
  const imported = await importFolder(await folderOf(huggingFaceFiles(model, "F32")));
  await expect(storedValues(imported)).rejects.toThrow("model.layers.0.mlp.down_proj.weight: expected finite values, got NaN at 17");
});

test("safetensors with holes, overlaps and unknown types are refused by the tensor's name", async () => {
  const { header } = encodeHeader([{ name: "a", shape: [2], dtype: "F32" }]);
  const text = new TextDecoder().decode(header.subarray(8));
  for (const [from, to, message] of [
    ["[0,8]", "[4,12]", "a: expected data to begin at 0, got 4"],
    ["[0,8]", "[0,4]", "a: expected 8 bytes for F32 [2], got 4"],
    ["[2]", "[4294967296,4294967296]", "a: expected"],
    ["F32", "F64", 'a: dtype: expected one of F32, F16, BF16, got "F64"'],
    ["[0,8]", "[0,-8]", "a: data_offsets: expected two places, got [0,-8]"],
  ] as const)
    await expect(importFolder(await folderOf(withFile(safetensorsOf(text.replace(from, to), [new Uint8Array(8)]))))).rejects.toThrow(
      message,
    );
  await expect(importFolder(await folderOf(withFile(safetensorsOf(text, [new Uint8Array(9)]))))).rejects.toThrow("trailing bytes");
  await expect(importFolder(await folderOf(withFile(safetensorsOf(text, [new Uint8Array(4)]))))).rejects.toThrow(
    "a: expected data to end by 4, got 8",
  );
});

/** A GGUF file in which one string or number of the header is replaced by another of the same length. */
async function patchedGguf(change: (bytes: Uint8Array, at: (text: string) => number) => void): Promise<Uint8Array> {
  const bytes = new Uint8Array(await bytesOfFile(ggufFile(randomModel(), "F32", "model.gguf")));
  change(bytes, (text) => {
    const at = Buffer.from(bytes.buffer).indexOf(text);
    if (at < 0) throw new Error(`expected ${text} in the file`);
    return at + text.length;
  });
  return bytes;
}
const put = (bytes: Uint8Array, at: number, text: string) => bytes.set(new TextEncoder().encode(text), at);

test.each<[string, (bytes: Uint8Array, at: (text: string) => number) => void]>([
  ["letters GGUF", (bytes) => bytes.set([0], 0)],
  ["version: expected 3, got 2", (bytes) => bytes.set([2], 4)],
  ["tensors: expected at most", (bytes) => bytes.set([255, 255, 255, 255], 8)],
  ["metadata: expected at most", (bytes) => bytes.set([255, 255, 255, 255, 255, 255, 255, 255], 16)],
  ["general.architecture", (bytes, at) => put(bytes, at("qwen3") - 5, "llama")],
  ["tokenizer.ggml.model", (bytes, at) => put(bytes, at("gpt2") - 4, "bert")],
  ["tokenizer.ggml.pre", (bytes, at) => put(bytes, at("tokenizer.ggml.pre") + 12, "llama")],
  ["tokenizer.ggml.add_bos_token", (bytes, at) => bytes.set([1], at("tokenizer.ggml.add_bos_token") + 4)],
  ["tokenizer.ggml.eos_token_id", (bytes, at) => bytes.set([255, 255], at("tokenizer.ggml.eos_token_id") + 4)],
  ["qwen3.attention.value_length", (bytes, at) => bytes.set([8], at("qwen3.attention.value_length") + 4)],
  ["qwen3.block_count", (bytes, at) => put(bytes, at("qwen3.block_count") - 5, "other")],
  ["qwen3.context_length", (bytes, at) => bytes.set([0, 0, 0, 0], at("qwen3.context_length") + 4)],
  ["general.alignment", (bytes, at) => bytes.set([31], at("general.alignment") + 4)],
  ["token_embd.weight: expected one of F32", (bytes, at) => bytes.set([10], at("token_embd.weight") + 4 + 16)],
  [
    "output_norm.weight: expected 256 bytes inside the file, at a multiple of 32",
    (bytes, at) => bytes.set([1], at("output_norm.weight") + 4 + 8 + 4),
  ],
  ["blk.0.attn_q.weight: expected a tensor", (bytes, at) => put(bytes, at("blk.0.attn_q.weight") - 8, "q.weighs")],
])("GGUF is refused with the message %s", async (what, change) => {
  await expect(importGguf(sourceOfBytes("model.gguf", await patchedGguf(change)))).rejects.toThrow(what);
});
