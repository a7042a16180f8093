/**
 * The parts of a tokenizer.json that exports need: tokens by id, kinds, merges, and llama.cpp's name of the pre-tokenizer. A
 * pre-tokenizer without such a name cannot be exported to GGUF, because llama.cpp would split text differently.
 */
import { z } from "zod";
import { PATTERNS } from "../tokenizer/pre-tokenizer.ts";

/** The values of GGUF's `tokenizer.ggml.token_type`. */
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
  /** The tokenizer.json as stored. */
  json: Uint8Array<ArrayBuffer>;
  /** Tokens by id, in GPT-2's printable characters. Unused ids get the names that convert_hf_to_gguf.py gives them. */
  tokens: readonly string[];
  kinds: readonly number[];
  /** Merges in order, each as "left right". */
  merges: readonly string[];
  /** llama.cpp's name of the pre-tokenizer; null if it has none. */
  pre: "gpt-2" | "qwen2" | null;
}

function preOf(rule: z.infer<typeof preTokenizerSchema> | null | undefined): TokenizerTables["pre"] {
  if (rule === null || rule === undefined) return "gpt-2";
  if (rule.type === "ByteLevel") return rule.use_regex ? "gpt-2" : null;
  const [split, byteLevel] = rule.pretokenizers;
  return split.pattern.Regex === PATTERNS.qwen2 && !byteLevel.use_regex ? "qwen2" : null;
}

/** Reads a stored tokenizer.json for a vocabulary of `vocabSize` tokens. Throws an error that names the first invalid field. */
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
