/**
 * `npm run bench -- tokenizer [--files 10000] [--json]`: compares the current rule for words with the former rule (GPT-2's) on
 * the default corpus. It prints the bytes per token of vocabularies that are trained on the corpus, and the speed of cutting
 * text into words as a ratio to the former regular expression in the same run. It also reads damaged tokenizer.json files;
 * each must be refused or read right.
 */
import { splitWords } from "../../shared/tokenizer/pre-tokenizer.ts";
import type { Print } from "../cli/runner.ts";
import { bytesPerToken } from "./support/bytes-per-token.ts";
import { defaultCorpus } from "./support/default-corpus.ts";
import { readHostileTokenizers } from "./support/hostile-tokenizer.ts";

const VOCAB_SIZES = [1024, 4096] as const;
const CUTTING_TURNS = 9;
/** The former rule: GPT-2's pattern with JavaScript's white space. */
const FORMER_EXPRESSION = /'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

export const FLAGS = { files: 10_000 };

export async function run({ files }: typeof FLAGS, print: Print): Promise<Record<string, unknown>> {
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
  const ok = hostile.wrong.length === 0 && files > 0;
  return { ok, documents: texts.length, bytes, vocabularies, cutting, hostile };
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

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
