/**
 * Checks the rules of a tokenizer.json: normalizer, pre-tokenizer, post-processor, decoder, and options of the model. An unknown
 * rule is an error that names the rule.
 */
import { hasShape, valueAt, type Shape } from "./json-shape.ts";
import { PATTERNS, type PreTokenizer } from "./pre-tokenizer.ts";

const MAX_PROCESSORS = 8;

const BYTE_LEVEL = { type: "ByteLevel", add_prefix_space: false } as const satisfies Shape;
const GPT2 = { ...BYTE_LEVEL, use_regex: (value: unknown) => value === undefined || value === true } satisfies Shape;
const SPLIT = {
  type: "Sequence",
  pretokenizers: [
    { type: "Split", pattern: { Regex: (value: unknown) => typeof value === "string" }, behavior: "Isolated", invert: false },
    { ...BYTE_LEVEL, use_regex: false },
  ],
} satisfies Shape;

/** True for post-processors that do not change the ids of a single text. */
const isHarmless = (value: unknown): boolean =>
  hasShape(value, { type: "ByteLevel" }) || hasShape(value, { type: "TemplateProcessing", single: [{ Sequence: { id: "A" } }] });
const isHarmlessList = (value: unknown): boolean => Array.isArray(value) && value.length <= MAX_PROCESSORS && value.every(isHarmless);

/** Returns the pre-tokenizer, the rule that splits text into words. */
export function preTokenizerOf(rule: unknown): PreTokenizer {
  if (hasShape(rule, GPT2)) return "gpt2";
  if (!hasShape(rule, SPLIT))
    throw refused("pre_tokenizer", "ByteLevel, or a Split and a ByteLevel with use_regex false, each with add_prefix_space false", rule);
  const pattern = valueAt(rule, "pretokenizers", 0, "pattern", "Regex");
  for (const [name, known] of Object.entries(PATTERNS)) if (pattern === known) return name as PreTokenizer;
  throw refused("pre_tokenizer", `a Split by the pattern of ${Object.keys(PATTERNS).join(" or ")}`, pattern);
}

/** The normalizer of a file, after a check that nothing else changes the ids of a text. */
export function refuseChangedIds(file: unknown): "NFC" | null {
  const normalizer = valueAt(file, "normalizer") ?? null;
  const postProcessor = valueAt(file, "post_processor") ?? null;
  const isNfc = hasShape(normalizer, { type: "NFC" });
  if (normalizer !== null && !isNfc) throw refused("normalizer", "null or NFC", normalizer);
  const isSequence = hasShape(postProcessor, { type: "Sequence", processors: isHarmlessList });
  if (postProcessor !== null && !isHarmless(postProcessor) && !isSequence)
    throw refused("post_processor", "null or a post-processor that adds no tokens", postProcessor);
  for (const option of ["dropout", "continuing_subword_prefix", "end_of_word_suffix", "ignore_merges"]) {
    const value = valueAt(file, "model", option);
    if (value !== undefined && value !== null && value !== false && value !== "" && value !== 0)
      throw refused(`model.${option}`, "this option to be off", value);
  }
  return isNfc ? "NFC" : null;
}

export function refuseChangedDecoding(decoder: unknown): void {
  if (!hasShape(decoder, { type: "ByteLevel" })) throw refused("decoder", "ByteLevel", decoder);
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
