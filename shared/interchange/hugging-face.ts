/**
 * Writes a Hugging Face folder for transformers, vLLM and similar programs: configuration, tokenizer, model card and weights. A
 * field that was renamed between versions is written under both names.
 */
import { licenceText, modelCard } from "./model-card.ts";
import { textFile, type OutputFile } from "./output-file.ts";
import type { PublishedModel } from "./published-model.ts";
import { safetensorsFiles, type SafetensorsType } from "./safetensors-writer.ts";
import { TOKEN_KINDS } from "./tokenizer-tables.ts";

const jsonFile = (path: string, value: unknown) => textFile(path, `${JSON.stringify(value, null, 2)}\n`);

/** Hugging Face accepts an id or a list of ids. */
const oneOrMany = (ids: readonly number[]) => (ids.length === 1 ? ids[0] : ids);

const padOf = (model: PublishedModel) => Math.max(0, model.tokenizer.tokens.indexOf("<|endoftext|>"));

function configJson(model: PublishedModel, type: SafetensorsType) {
  const { config, endTokens } = model;
  const dtype = type === "F32" ? "float32" : "bfloat16";
  return {
    architectures: ["Qwen3ForCausalLM"],
    model_type: "qwen3",
    attention_bias: false,
    attention_dropout: 0,
    bos_token_id: padOf(model),
    dtype,
    eos_token_id: oneOrMany(endTokens),
    head_dim: config.headWidth,
    hidden_act: "silu",
    hidden_size: config.width,
    initializer_range: 0.02,
    intermediate_size: config.mlpWidth,
    layer_types: Array.from({ length: config.layers }, () => "full_attention"),
    max_position_embeddings: config.context,
    max_window_layers: config.layers,
    num_attention_heads: config.heads,
    num_hidden_layers: config.layers,
    num_key_value_heads: config.kvHeads,
    pad_token_id: padOf(model),
    rms_norm_eps: config.normEpsilon,
    rope_parameters: { rope_theta: config.ropeTheta, rope_type: "default" },
    rope_scaling: null,
    rope_theta: config.ropeTheta,
    sliding_window: null,
    tie_word_embeddings: config.tiedEmbeddings,
    torch_dtype: dtype,
    use_cache: true,
    use_sliding_window: false,
    vocab_size: config.vocabSize,
  };
}

/** The default sampling settings of `/generate`. */
function generationConfigJson(model: PublishedModel) {
  return {
    bos_token_id: padOf(model),
    do_sample: true,
    eos_token_id: oneOrMany(model.endTokens),
    pad_token_id: padOf(model),
    temperature: 0.7,
    top_k: 40,
    top_p: 0.95,
  };
}

/** Names the generic tokenizer class, because transformers 5 replaces the file's pre-tokenizer in every other class. */
function tokenizerConfigJson(model: PublishedModel) {
  const { tokens, kinds } = model.tokenizer;
  const added = tokens.flatMap((content, id) => {
    const kind = kinds[id];
    if (kind !== TOKEN_KINDS.control && kind !== TOKEN_KINDS.userDefined) return [];
    return [[id, { content, lstrip: false, normalized: false, rstrip: false, single_word: false, special: kind === TOKEN_KINDS.control }]];
  });
  return {
    added_tokens_decoder: Object.fromEntries(added),
    add_bos_token: false,
    add_prefix_space: false,
    bos_token: tokens[padOf(model)],
    chat_template: model.chatTemplate,
    clean_up_tokenization_spaces: false,
    eos_token: tokens[model.endTokens[0]!],
    model_input_names: ["input_ids", "attention_mask"],
    model_max_length: model.config.context,
    pad_token: tokens[padOf(model)],
    tokenizer_class: "PreTrainedTokenizerFast",
    unk_token: null,
  };
}

/** Returns all files of the folder except the weights. */
export function descriptionFiles(model: PublishedModel, type: SafetensorsType = "F32"): OutputFile[] {
  return [
    textFile("README.md", modelCard(model)),
    textFile("LICENSE", licenceText(model.provenance)),
    jsonFile("provenance.json", model.provenance),
    jsonFile("config.json", configJson(model, type)),
    jsonFile("generation_config.json", generationConfigJson(model)),
    { path: "tokenizer.json", pieces: [model.tokenizer.json] },
    jsonFile("tokenizer_config.json", tokenizerConfigJson(model)),
  ];
}

/** Returns all files of the folder. */
export function huggingFaceFiles(model: PublishedModel, type: SafetensorsType): OutputFile[] {
  return [...descriptionFiles(model, type), ...safetensorsFiles(model, type)];
}
