/**
 * `npm run bench -- tokenizer [--files 10000] [--tokens 0] [--json]`: compares the current rule for words with the former rule (GPT-2's) on
 * the default corpus. It prints the bytes per token of vocabularies that are trained on the corpus, and the speed of cutting
 * text into words as a ratio to the former regular expression in the same run. It also reads damaged tokenizer.json files;
 * each must be refused or read right. With `--tokens N` it also trains the default preset for N tokens with either rule and
 * prints the bits per byte of the validation texts.
 */
import "./support/tensors-in-node.ts";
import { FORMER_LAYOUT, LAYOUT } from "../../shared/tokenizer/layout.ts";
import { splitWords } from "../../shared/tokenizer/pre-tokenizer.ts";
import type { Print } from "../cli/runner.ts";
import { bytesPerToken } from "./support/bytes-per-token.ts";
import { defaultCorpus } from "./support/default-corpus.ts";
import { readHostileTokenizers } from "./support/hostile-tokenizer.ts";
import { median } from "./support/statistics.ts";

const PRESET = "small";
const VOCAB_SIZES = [1024, 4096] as const;
const CUTTING_TURNS = 9;
/** The former rule: GPT-2's pattern with JavaScript's white space. */
const FORMER_EXPRESSION = /'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

export const FLAGS = { files: 10_000, tokens: 0 };

export async function run({ files, tokens }: typeof FLAGS, print: Print): Promise<Record<string, unknown>> {
  const texts = await defaultCorpus();
  const bytes = new TextEncoder().encode(texts.join("")).length;
  print(`default corpus: ${texts.length} documents, ${bytes} bytes`);
  const vocabularies = VOCAB_SIZES.map((vocabSize) => {
    const measured = bytesPerToken(texts, vocabSize);
    const { bytesPerTokenBefore: before, bytesPerToken: now, gain, gainAtEqualMerges } = measured;
    print(
      `${vocabSize} tokens: ${before.toFixed(4)} bytes per token before, ${now.toFixed(4)} now: ${percent(gain)} more, ${percent(gainAtEqualMerges)} at equal merges`,
    );
    return measured;
  });
  const cutting = cuttingSpeeds(texts);
  print(`cutting, times the speed of the expression of before: qwen2 ${cutting.qwen2.toFixed(2)}, gpt2 ${cutting.gpt2.toFixed(2)}`);
  const hostile = readHostileTokenizers(1, files);
  print(
    `damaged files: ${hostile.refused} refused, ${hostile.right} read right, ${hostile.wrong.length} wrong, slowest ${hostile.slowestMs.toFixed(0)} ms`,
  );
  const training = tokens > 0 ? await compareTraining(texts, tokens, print) : null;
  const ok = hostile.wrong.length === 0 && files > 0;
  return { ok, documents: texts.length, bytes, vocabularies, cutting, hostile, training };
}

/** Trains the default preset with either rule: the same documents, tokens, seed and steps. Both see the same validation bytes. */
async function compareTraining(texts: readonly string[], tokens: number, print: Print) {
  // These imports come after tensors-in-node.ts.
  const { encodeCorpus, pretrain } = await import("./support/pretraining.ts");
  const { presetOf } = await import("../../shared/config.ts");
  const bitsPerByte = async (name: string, layout: typeof LAYOUT) => {
    const corpus = encodeCorpus(texts, layout, presetOf(PRESET).vocabSize);
    const none = "0".repeat(64);
    const { valLoss } = await pretrain(corpus, { run: name, dataset: none, tokenizer: none }, { preset: PRESET, tokens, seed: 1 }, print);
    return (valLoss * (corpus.val.length - 1)) / Math.LN2 / corpus.valBytes;
  };
  const bitsPerByteBefore = await bitsPerByte("before", FORMER_LAYOUT);
  const bitsPerByteNow = await bitsPerByte("now", LAYOUT);
  print(`bits per byte after ${tokens} training tokens: ${bitsPerByteBefore.toFixed(4)} before, ${bitsPerByteNow.toFixed(4)} now`);
  return { tokens, bitsPerByteBefore, bitsPerByteNow };
}

/**
 * The speed of each rule, as a multiple of the former expression's speed. Rules and expression take turns, and each figure is the
 * median of the turns.
 */
function cuttingSpeeds(texts: readonly string[]): { qwen2: number; gpt2: number } {
  const time = (cut: (text: string) => readonly string[] | null): number => {
    const begun = performance.now();
    let words = 0;
    for (const text of texts) words += cut(text)?.length ?? 0;
    if (words === 0) throw new Error("cutting: expected words, got none");
    return performance.now() - begun;
  };
  const ratios = { qwen2: [] as number[], gpt2: [] as number[] };
  for (let turn = 0; turn < CUTTING_TURNS; turn++) {
    const before = time((text) => text.match(FORMER_EXPRESSION));
    ratios.qwen2.push(before / time((text) => splitWords(text, "qwen2")));
    ratios.gpt2.push(before / time((text) => splitWords(text, "gpt2")));
  }
  return { qwen2: median(ratios.qwen2), gpt2: median(ratios.gpt2) };
}

const percent = (share: number) => `${(share * 100).toFixed(2)} %`;
