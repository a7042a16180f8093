/**
 * Reads a Hugging Face tokenizer.json (byte-level BPE); json-writer.ts writes it.
 * The input is untrusted: every refusal names its field, and the length of a token is limited.
 */
import { z } from "zod";
import type { Merge } from "./bpe.ts";
import { SPECIAL_TOKENS, Tokenizer } from "./tokenizer.ts";
import { BYTE_TO_CHAR } from "./json-writer.ts";

/** The longest token in bytes. Without a limit, merges that each double a token would fill the memory. */
const MAX_TOKEN_BYTES = 1024;

const idSchema = z.int().min(0).max(65_535);
const fileSchema = z.object({
  added_tokens: z.array(z.object({ id: idSchema, content: z.string().min(1).max(256) })).max(1024),
  model: z.object({
    type: z.literal("BPE"),
    vocab: z.record(z.string(), idSchema),
    merges: z.array(z.union([z.tuple([z.string(), z.string()]), z.string()])).max(65_536),
  }),
});

/** Reads a parsed tokenizer.json. Throws an error that names the field it cannot accept. */
export function loadTokenizer(json: unknown): Tokenizer {
  const parsed = fileSchema.safeParse(json);
  if (!parsed.success) throw new Error(`tokenizer.json: ${z.prettifyError(parsed.error)}`);
  const { model, added_tokens: added } = parsed.data;
  const tokens = new Map(BYTE_TO_CHAR.map((char, byte) => [char, byte]));
  const merges: Merge[] = [];
  for (const merge of model.merges) {
    const [left = "", right = ""] = typeof merge === "string" ? merge.split(" ") : merge;
    const [leftToken, rightToken] = [tokens.get(left), tokens.get(right)];
    if (leftToken === undefined || rightToken === undefined) throw refused("model.merges", "pairs of known tokens", merge);
    if (left.length + right.length > MAX_TOKEN_BYTES) throw refused("model.merges", `tokens of at most ${MAX_TOKEN_BYTES} bytes`, merge);
    if (tokens.has(left + right)) throw refused("model.merges", "each token made by one merge", merge);
    tokens.set(left + right, 256 + merges.length);
    merges.push([leftToken, rightToken]);
  }
  const used = new Set<number>();
  const claim = (field: string, content: string, id: number | undefined): number => {
    if (id === undefined || used.has(id)) throw refused(field, "an id of its own for every token", [content, id ?? null]);
    used.add(id);
    return id;
  };
  const ids = Array.from(tokens.keys(), (token) =>
    claim("model.vocab", token, Object.hasOwn(model.vocab, token) ? model.vocab[token] : undefined),
  );
  const specials = new Map(added.map(({ content, id }) => [content, claim("added_tokens", content, id)]));
  if (!specials.has(SPECIAL_TOKENS[0])) throw refused("added_tokens", SPECIAL_TOKENS[0], [...specials.keys()]);
  return new Tokenizer(merges, { ids, specials });
}

function refused(field: string, expected: string, got: unknown): Error {
  return new Error(`tokenizer.json: ${field}: expected ${expected}, got ${JSON.stringify(got).slice(0, 200)}`);
}
