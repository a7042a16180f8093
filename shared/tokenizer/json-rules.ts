/**
 * Checks the rules of a tokenizer.json: normalizer, pre-tokenizer, post-processor, decoder, and options of the model. An unknown
 * rule is an error that names the rule.
 */
import { z } from "zod";
import { PATTERNS, type PreTokenizer } from "./pre-tokenizer.ts";

const byteLevelSchema = z.object({ type: z.literal("ByteLevel"), add_prefix_space: z.literal(false) });
const gpt2Schema = byteLevelSchema.extend({ use_regex: z.literal(true).optional() });
const splitSchema = z.object({
  type: z.literal("Sequence"),
  pretokenizers: z.tuple([
    z.object({
      type: z.literal("Split"),
      pattern: z.object({ Regex: z.string() }),
      behavior: z.literal("Isolated"),
      invert: z.literal(false),
    }),
    byteLevelSchema.extend({ use_regex: z.literal(false) }),
  ]),
});

/** Post-processors that do not change the ids of a single text. */
const harmlessSchema = z.union([
  z.object({ type: z.literal("ByteLevel") }),
  z.object({ type: z.literal("TemplateProcessing"), single: z.tuple([z.object({ Sequence: z.object({ id: z.literal("A") }) })]) }),
]);
const postProcessorSchema = z.union([
  z.null(),
  harmlessSchema,
  z.object({ type: z.literal("Sequence"), processors: z.array(harmlessSchema).max(8) }),
]);

/** Returns the pre-tokenizer, the rule that splits text into words. */
export function preTokenizerOf(rule: unknown): PreTokenizer {
  if (gpt2Schema.safeParse(rule).success) return "gpt2";
  const sequence = splitSchema.safeParse(rule);
  if (!sequence.success)
    throw refused("pre_tokenizer", "ByteLevel, or a Split and a ByteLevel with use_regex false, each with add_prefix_space false", rule);
  const { Regex: pattern } = sequence.data.pretokenizers[0].pattern;
  for (const [name, known] of Object.entries(PATTERNS)) if (pattern === known) return name as PreTokenizer;
  throw refused("pre_tokenizer", `a Split by the pattern of ${Object.keys(PATTERNS).join(" or ")}`, pattern);
}

/** Returns the normalizer. Throws if another rule would change the ids of a text. */
export function refuseChangedIds(
  rules: { normalizer?: unknown; post_processor?: unknown },
  model: Readonly<Record<string, unknown>>,
): "NFC" | null {
  const { normalizer = null, post_processor: postProcessor = null } = rules;
  const isNfc = z.object({ type: z.literal("NFC") }).safeParse(normalizer).success;
  if (normalizer !== null && !isNfc) throw refused("normalizer", "null or NFC", normalizer);
  if (!postProcessorSchema.safeParse(postProcessor).success)
    throw refused("post_processor", "null or a post-processor that adds no tokens", postProcessor);
  for (const option of ["dropout", "continuing_subword_prefix", "end_of_word_suffix", "ignore_merges"]) {
    const value = model[option];
    if (value !== undefined && value !== null && value !== false && value !== "" && value !== 0)
      throw refused(`model.${option}`, "this option to be off", value);
  }
  return isNfc ? "NFC" : null;
}

export function refuseChangedDecoding(decoder: unknown): void {
  if (!z.object({ type: z.literal("ByteLevel") }).safeParse(decoder).success) throw refused("decoder", "ByteLevel", decoder);
}

/** The error for a field. It shows at most a line of the value, because an untrusted value may be huge or deeply nested. */
export function refused(field: string, expected: string, got: unknown): Error {
  return new Error(`tokenizer.json: ${field}: expected ${expected}, got ${describe(got)}`);
}

function describe(value: unknown): string {
  if (typeof value !== "object" || value === null) return (JSON.stringify(value) ?? "nothing").slice(0, 200);
  if (Array.isArray(value)) return `[${value.slice(0, 4).map(describeItem).join(", ")}${value.length > 4 ? ", ..." : ""}]`;
  return `{${Object.entries(value)
    .slice(0, 6)
    .map(([name, item]) => `${JSON.stringify(name).slice(0, 40)}: ${describeItem(item)}`)
    .join(", ")}}`;
}

function describeItem(value: unknown): string {
  if (typeof value !== "object" || value === null) return (JSON.stringify(value) ?? "nothing").slice(0, 60);
  return Array.isArray(value) ? "[...]" : "{...}";
}
