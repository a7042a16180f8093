/**
 * What exports need of a tokenizer.json: tokens by id, merges, kinds, and the cutting rule by the name under which llama.cpp
 * knows it. A rule that has no such name cannot leave as GGUF: the file would load and cut otherwise.
 */
import { z } from "zod";
import { PATTERNS } from "../tokenizer/pre-tokenizer.ts";

/** As in GGUF's `tokenizer.ggml.token_type`. */
export const TOKEN_KINDS = { normal: 1, control: 3, userDefined: 4, unused: 5 } as const;

const byteLevelSchema = z.object({ type: z.literal("ByteLevel"), use_regex: z.boolean().default(true) });
const splitSchema = z.object({ type: z.literal("Split"), pattern: z.object({ Regex: z.string() }) });
const preTokenizerSchema = z.union([
  byteLevelSchema,
  z.object({ type: z.literal("Sequence"), pretokenizers: z.tuple([splitSchema, byteLevelSchema]) }),
]);

const fileSchema = z.object({
  added_tokens: z.array(z.object({ id: z.int().min(0).max(65_535), content: z.string(), special: z.boolean().default(true) })),
  pre_tokenizer: preTokenizerSchema.nullish(),
  model: z.object({
    vocab: z.record(z.string(), z.int().min(0).max(65_535)),
    merges: z.array(z.union([z.tuple([z.string(), z.string()]), z.string()])),
  }),
});

export interface TokenizerTables {
  /** The file as it is stored. */
  json: Uint8Array<ArrayBuffer>;
  /** By id, in GPT-2's printable letters; holes are named as convert_hf_to_gguf.py names them. */
  tokens: readonly string[];
  kinds: readonly number[];
  /** "left right", in order. */
  merges: readonly string[];
  /** The rule's name in llama.cpp; null where it has none. */
  pre: "gpt-2" | "qwen2" | null;
}

function preOf(rule: z.infer<typeof preTokenizerSchema> | null | undefined): TokenizerTables["pre"] {
  if (rule === null || rule === undefined) return "gpt-2";
  if (rule.type === "ByteLevel") return rule.use_regex ? "gpt-2" : null;
  const [split, byteLevel] = rule.pretokenizers;
  return split.pattern.Regex === PATTERNS.qwen2 && !byteLevel.use_regex ? "qwen2" : null;
}

/** Reads a stored tokenizer.json for a vocabulary of `vocabSize` rows. Throws naming the field that does not fit. */
export function readTokenizerTables(json: Uint8Array<ArrayBuffer>, vocabSize: number): TokenizerTables {
  const parsed = fileSchema.safeParse(JSON.parse(new TextDecoder().decode(json)));
  if (!parsed.success) throw new Error(`tokenizer.json: ${z.prettifyError(parsed.error)}`);
  const { model, added_tokens: added, pre_tokenizer: rule } = parsed.data;
  const tokens = Array.from({ length: vocabSize }, (_, id) => `[PAD${id}]`);
  const kinds = Array.from({ length: vocabSize }, (): number => TOKEN_KINDS.unused);
  const put = (id: number, token: string, kind: number) => {
    if (id >= vocabSize) throw new Error(`tokenizer.json: expected ids below ${vocabSize}, the model's vocabulary, got ${id}`);
    tokens[id] = token;
    kinds[id] = kind;
  };
  for (const [token, id] of Object.entries(model.vocab)) put(id, token, TOKEN_KINDS.normal);
  for (const { id, content, special } of added) put(id, content, special ? TOKEN_KINDS.control : TOKEN_KINDS.userDefined);
  const merges = model.merges.map((merge) => (typeof merge === "string" ? merge : merge.join(" ")));
  return { json, tokens, kinds, merges, pre: preOf(rule) };
}
