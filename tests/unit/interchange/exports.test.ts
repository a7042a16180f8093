/**
 * Other programs can read the exports. Each format is read by a reader of another project, or checked against the rules in the
 * format's documentation.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gguf } from "@huggingface/gguf";
import { afterAll, describe, expect, test } from "vitest";
import { exportFiles } from "../../../shared/interchange/export-formats.ts";
import { EXPORT_TYPES } from "../../../shared/interchange/formats.ts";
import { ggufFile, sizeLabel } from "../../../shared/interchange/gguf-writer.ts";
import { descriptionFiles, huggingFaceFiles } from "../../../shared/interchange/hugging-face.ts";
import { languagesOf, licenceOfWeights } from "../../../shared/interchange/licences.ts";
import { bytesOfFile, readRange, sizeOfFile, type OutputFile } from "../../../shared/interchange/output-file.ts";
import { safetensorsFiles } from "../../../shared/interchange/safetensors-writer.ts";
import { readTar, sizeOfTar } from "../../../shared/interchange/tar.ts";
import { tokenizerTables } from "../../../shared/interchange/tokenizer-tables.ts";
import { parseTokenizer } from "../../../shared/tokenizer/json-reader.ts";
import { PATTERNS } from "../../../shared/tokenizer/pre-tokenizer.ts";
import { decodeSafetensors } from "../../../shared/model/formats/safetensors.ts";
import { weightShapes } from "../../../shared/model/weights.ts";
import { randomModel, tokenizerJson } from "../../../scripts/bench/support/interchange/random-model.ts";

const folder = mkdtempSync(join(tmpdir(), "tiffin-interchange-"));
afterAll(() => rmSync(folder, { recursive: true }));

const model = randomModel();
const jsonOf = async (files: readonly OutputFile[], path: string) =>
  JSON.parse(new TextDecoder().decode(await bytesOfFile(files.find((file) => file.path === path)!))) as Record<string, unknown>;

async function parsedGguf(file: OutputFile) {
  const path = join(folder, "model.gguf");
  writeFileSync(path, await bytesOfFile(file));
  const { metadata, tensorInfos } = await gguf(path, { allowLocalFile: true });
  return { metadata: metadata as Record<string, unknown>, tensorInfos };
}

describe("GGUF", () => {
  test.each(EXPORT_TYPES.gguf)("of type %s has the metadata and tensors that a Qwen3 needs", async (type) => {
    const file = ggufFile(model, type, "model.gguf");
    const { metadata, tensorInfos } = await parsedGguf(file);
    expect(metadata).toMatchObject({
      version: 3,
      "general.architecture": "qwen3",
      "general.license": "unknown",
      "general.file_type": { F32: 0, F16: 1, Q4_0: 2, Q8_0: 7, BF16: 32 }[type],
      "tiffin.checkpoint": model.hash,
      "qwen3.block_count": 2,
      "qwen3.context_length": 48,
      "qwen3.embedding_length": 64,
      "qwen3.feed_forward_length": 96,
      "qwen3.attention.head_count": 4,
      "qwen3.attention.head_count_kv": 2,
      "qwen3.attention.key_length": 16,
      "qwen3.attention.value_length": 16,
      "qwen3.rope.freq_base": 10_000,
      "qwen3.attention.layer_norm_rms_epsilon": Math.fround(1e-6),
      "tokenizer.ggml.model": "gpt2",
      "tokenizer.ggml.pre": "qwen2",
      "tokenizer.ggml.bos_token_id": 0,
      "tokenizer.ggml.eos_token_id": 0,
      "tokenizer.ggml.add_bos_token": false,
      "tokenizer.chat_template": model.chatTemplate,
    });
    expect(metadata["general.source.uuid"]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const tokens = metadata["tokenizer.ggml.tokens"] as string[];
    const kinds = metadata["tokenizer.ggml.token_type"] as number[];
    expect([tokens.length, kinds.length]).toEqual([278, 278]);
    expect([tokens[0], kinds[0], tokens[16 + 65], kinds[16 + 65], tokens[274], tokens[277], kinds[277]]).toEqual([
      "<|endoftext|>",
      3,
      "A",
      1,
      "Ġthe",
      "[PAD277]",
      5,
    ]);
    expect(metadata["tokenizer.ggml.merges"]).toEqual(["t h", "th e", "Ġ the", "i n"]);
    expect(tensorInfos.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        "token_embd.weight",
        "blk.1.attn_q_norm.weight",
        "blk.0.ffn_down.weight",
        "output_norm.weight",
        "output.weight",
      ]),
    );
    expect(tensorInfos.length).toBe(weightShapes(model.config).length);
    expect(tensorInfos.find(({ name }) => name === "blk.0.ffn_down.weight")!.shape).toEqual([96n, 64n]);
    expect(tensorInfos.filter(({ offset }) => Number(offset) % 32 !== 0)).toEqual([]);
    // llama.cpp accepts norms only in float32.
    expect(tensorInfos.filter(({ shape, dtype }) => shape.length === 1 && dtype !== 0)).toEqual([]);
  });

  test("rows that are not whole blocks become float16, which llama.cpp reads beside blocks", async () => {
    const { tensorInfos } = await parsedGguf(ggufFile(randomModel({ mlpWidth: 100 }), "Q8_0", "model.gguf"));
    const typeOf = (name: string) => tensorInfos.find((tensor) => tensor.name === name)!.dtype;
    expect([typeOf("blk.0.ffn_down.weight"), typeOf("blk.0.ffn_up.weight")]).toEqual([1, 8]);
  });

  test("holds any number of tokens", async () => {
    const { metadata } = await parsedGguf(ggufFile(randomModel({ vocabSize: 20_000, width: 32 }), "F32", "model.gguf"));
    const tokens = metadata["tokenizer.ggml.tokens"] as string[];
    expect([tokens.length, tokens[274], tokens[275], tokens[276], tokens[19_999]]).toEqual([
      20_000,
      "Ġthe",
      "in",
      "[PAD276]",
      "[PAD19999]",
    ]);
    expect(metadata["tokenizer.ggml.merges"]).toEqual(["t h", "th e", "Ġ the", "i n"]);
  });

  test("of tied embeddings has no output", async () => {
    const { tensorInfos } = await parsedGguf(ggufFile(randomModel({ tiedEmbeddings: true }), "F32", "model.gguf"));
    expect(tensorInfos.some(({ name }) => name === "output.weight")).toBe(false);
  });

  test("a taught model ends its turn and its text, the turn first", async () => {
    const { metadata } = await parsedGguf(ggufFile({ ...model, endTokens: [2, 0] }, "F32", "model.gguf"));
    expect([metadata["tokenizer.ggml.eos_token_id"], metadata["tokenizer.ggml.eot_token_id"]]).toEqual([2, 2]);
  });

  test("names GPT-2's rule for words, which is either built into ByteLevel or written as a pattern", async () => {
    const built = tokenizerJson("gpt-2");
    const written = {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex: PATTERNS.gpt2 }, behavior: "Isolated", invert: false },
        { type: "ByteLevel", add_prefix_space: false, use_regex: false },
      ],
    };
    for (const file of [built, { ...built, pre_tokenizer: written }]) {
      const json = new TextEncoder().encode(JSON.stringify(file)) as Uint8Array<ArrayBuffer>;
      const tokenizer = tokenizerTables(json, parseTokenizer(json), 278);
      const { metadata } = await parsedGguf(ggufFile({ ...model, tokenizer }, "F32", "model.gguf"));
      expect(metadata["tokenizer.ggml.pre"]).toBe("gpt-2");
    }
  });

  test("size labels are short", () =>
    expect([147_904, 1_066_368, 6_114_368, 32e6, 1.5e9].map(sizeLabel)).toEqual(["148K", "1.1M", "6.1M", "32M", "1.5B"]));
});

describe("Hugging Face folder", () => {
  test("weights are safetensors with PyTorch's names, marked as such", async () => {
    const [file] = safetensorsFiles(model, "F32");
    const bytes = await bytesOfFile(file!);
    const header = new TextDecoder().decode(bytes.subarray(8, 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true))));
    expect(JSON.parse(header)).toMatchObject({ __metadata__: { format: "pt" } });
    const arrays = decodeSafetensors(bytes);
    expect(arrays.map(({ name, shape, data }) => [name, shape, data])).toEqual(
      weightShapes(model.config).map(([name, shape]) => [name, shape, model.values.get(name)]),
    );
  });

  test("large weights are split into files of limited size, with an index that names each parameter once", async () => {
    const limit = 60_000;
    const files = safetensorsFiles(model, "F32", limit);
    const index = (await jsonOf(files, "model.safetensors.index.json")) as {
      metadata: { total_size: number };
      weight_map: Record<string, string>;
    };
    const shards = files.slice(1);
    expect(shards.length).toBeGreaterThan(2);
    expect(shards[0]!.path).toBe(`model-00001-of-${String(shards.length).padStart(5, "0")}.safetensors`);
    expect(index.metadata.total_size).toBe([...model.values.values()].reduce((sum, values) => sum + values.byteLength, 0));
    const found = new Map<string, string>();
    for (const shard of shards) {
      const arrays = decodeSafetensors(await bytesOfFile(shard));
      expect(arrays.length === 1 || arrays.reduce((sum, { data }) => sum + data.byteLength, 0) <= limit).toBe(true);
      for (const { name } of arrays) found.set(name, shard.path);
    }
    expect(Object.fromEntries(found)).toEqual(index.weight_map);
    expect([...found.keys()]).toEqual(weightShapes(model.config).map(([name]) => name));
  });

  test("every file agrees on the tokens that end a text", async () => {
    for (const endTokens of [[0], [2, 0]]) {
      const files = huggingFaceFiles({ ...model, endTokens }, "BF16");
      const expected = endTokens.length === 1 ? 0 : endTokens;
      expect((await jsonOf(files, "config.json"))["eos_token_id"]).toEqual(expected);
      expect((await jsonOf(files, "generation_config.json"))["eos_token_id"]).toEqual(expected);
      expect((await jsonOf(files, "tokenizer_config.json"))["eos_token"]).toBe(endTokens[0] === 0 ? "<|endoftext|>" : "<|im_end|>");
    }
  });

  test("the configuration has both old and new names", async () => {
    const config = await jsonOf(huggingFaceFiles(randomModel({ ropeTheta: 1e6, headWidth: 8 }), "BF16"), "config.json");
    expect(config).toMatchObject({
      rope_theta: 1e6,
      rope_parameters: { rope_theta: 1e6, rope_type: "default" },
      torch_dtype: "bfloat16",
      dtype: "bfloat16",
      head_dim: 8,
      hidden_size: 64,
    });
  });

  test("the tokenizer's configuration names the plain class and no token types", async () => {
    const config = await jsonOf(descriptionFiles(model), "tokenizer_config.json");
    expect(config).toMatchObject({
      tokenizer_class: "PreTrainedTokenizerFast",
      model_input_names: ["input_ids", "attention_mask"],
      add_bos_token: false,
      bos_token: "<|endoftext|>",
      clean_up_tokenization_spaces: false,
    });
    expect(Object.keys(config["added_tokens_decoder"] as object)).toHaveLength(16);
  });

  test("the card first says that the licence is unknown, and has the facts of the run", async () => {
    const card = new TextDecoder().decode(await bytesOfFile(descriptionFiles(model)[0]!));
    expect(card).toMatch(/^---\nlicense: unknown\n/);
    expect(card.indexOf("licence of the weights is unknown")).toBeLessThan(card.indexOf("## Architecture"));
    for (const fact of [model.hash, "2".repeat(64), "1.00 Wh", "0.72", "3.250", "value: 2.5", "interpolated trigram | unknown"])
      expect(card).toContain(fact);
  });

  const site = { site: "a.test", lang: "en-GB", documents: 3, bytes: 900, firstRetrieved: "2026-11-23", lastRetrieved: "2026-11-24" };
  const cardOf = async (licences: readonly string[]) => {
    const sources = licences.map((licence) => ({ ...site, licence }));
    const origin = { snapshot: "5".repeat(64), superseded: 2, sources };
    const { provenance } = model;
    const facts = { licence: licenceOfWeights(sources), languages: languagesOf(sources), data: { ...provenance.data!, origin } };
    const files = descriptionFiles({ ...model, provenance: { ...provenance, ...facts } });
    return new TextDecoder().decode(await bytesOfFile(files[0]!));
  };

  test("the card names snapshot, sites, licences and days, and the weights have the licence that all data have", async () => {
    const card = await cardOf(["https://creativecommons.org/licenses/by/4.0/", "CC-BY-4.0"]);
    expect(card).toMatch(/^---\nlicense: cc-by-4.0\nlanguage:\n  - en\n/);
    expect(card).toContain("The weights have the licence of all of their data: CC-BY-4.0.");
    expect(card).toContain("| a.test | CC-BY-4.0 | en-GB | 3 | 900 | 2026-11-23 to 2026-11-24 |");
    for (const fact of ["5".repeat(64), "2 outdated documents"]) expect(card).toContain(fact);
  });

  test.each([[["", "CC0-1.0"]], [["CC0-1.0", "CC-BY-4.0"]], [[""]]])(
    "licences %j of the data leave that of the weights unknown",
    async (licences) => {
      const card = await cardOf(licences);
      expect(card).toMatch(/^---\nlicense: unknown\n/);
      expect(card).toContain("**The licence of the weights is unknown**");
    },
  );

  test("a licence that a page states is text in the card, never markup", async () => {
    const card = (await cardOf(["<script>|[x](y)`\n# z"])).split("\n---\n")[1];
    expect(card).not.toContain("<script>");
    expect(card).toContain("&#60;script&#62;&#124;&#91;x&#93;(y)&#96; # z");
  });
});

describe("files that are made while they are read", () => {
  test("a range has the same bytes as that part of the whole file", async () => {
    const file = ggufFile(model, "Q8_0", "model.gguf");
    const whole = await bytesOfFile(file);
    const size = sizeOfFile(file);
    for (const [start, end] of [
      [0, 1],
      [0, size],
      [size - 1, size],
      [5, 5],
      [1000, 70_001],
      [size - 40_000, size - 3],
    ] as const) {
      const parts: number[] = [];
      for await (const chunk of readRange(file, start, end)) parts.push(...chunk);
      expect(Buffer.from(parts).equals(whole.slice(start, end))).toBe(true);
    }
  });

  test("a range makes only the pieces that it touches", async () => {
    const made: string[] = [];
    const watched = { ...model, parameters: { read: async (name: string) => (made.push(name), model.values.get(name)!) } };
    const file = ggufFile(watched, "F32", "model.gguf");
    for await (const chunk of readRange(file, sizeOfFile(file) - 10)) expect(chunk.byteLength).toBe(10);
    expect(made).toEqual(["lm_head.weight"]);
  });

  test("a tar has the files one after the other in a folder", async () => {
    const files = exportFiles(model, "hf");
    const parts: Uint8Array[] = [];
    for await (const chunk of readTar("folder", files)) parts.push(chunk.slice());
    const bytes = new Uint8Array(Buffer.concat(parts));
    expect(bytes.byteLength).toBe(sizeOfTar(files));
    let at = 0;
    for (const file of files) {
      const text = (from: number, length: number) =>
        new TextDecoder().decode(bytes.subarray(at + from, at + from + length)).replace(/\0.*$/s, "");
      const header = bytes.slice(at, at + 512);
      const sum = Number.parseInt(text(148, 8), 8);
      header.fill(32, 148, 156);
      expect([text(0, 100), text(257, 6), Number.parseInt(text(124, 12), 8)]).toEqual([`folder/${file.path}`, "ustar", sizeOfFile(file)]);
      expect(header.reduce((total, byte) => total + byte, 0)).toBe(sum);
      expect(Buffer.from(bytes.slice(at + 512, at + 512 + sizeOfFile(file))).equals(await bytesOfFile(file))).toBe(true);
      at += 512 + Math.ceil(sizeOfFile(file) / 512) * 512;
    }
    expect(bytes.subarray(at).every((byte) => byte === 0)).toBe(true);
  });

  test("unknown types are refused by name", () => {
    expect(() => exportFiles(model, "hf", "q8_0")).toThrow("type: expected one of F32, BF16 for hf, got q8_0");
    expect(exportFiles(model, "gguf", "q8_0").map(({ path }) => path)).toEqual(["tiffin-0123456789ab-Q8_0.gguf"]);
  });
});
