/**
 * Pretraining on a corpus in memory, with the product's own arithmetic in a plain loop: a tokenizer, a split of the documents,
 * and a run of a preset. It is imported after tensors-in-node.ts, which lets Node import kernels.
 */
import { presetOf, supervisionConfigSchema } from "../../../shared/config.ts";
import type { Layout } from "../../../shared/tokenizer/layout.ts";
import type { Tokenizer } from "../../../shared/tokenizer/tokenizer.ts";
import { totalRounds } from "../../../shared/training/compute/rounds.ts";
import type { RunSpec } from "../../../shared/training/protocol/run-state.ts";
import type { Print } from "../../cli/runner.ts";
import { Loop } from "../workers/diloco/loop.ts";
import { trainTokenizer } from "./train-tokenizer.ts";

/** One document in this many is for validation. */
const HELD_OUT_STRIDE = 20;
const REPORT_SECONDS = 30;

export interface EncodedCorpus {
  tokenizer: Tokenizer;
  train: Uint16Array;
  val: Uint16Array;
  /** The size of the validation texts in UTF-8. */
  valBytes: number;
}

/** Encodes texts with a vocabulary of `vocabSize` tokens that is trained on them. Every layout splits the documents equally. */
export function encodeCorpus(texts: readonly string[], layout: Layout, vocabSize: number): EncodedCorpus {
  const tokenizer = trainTokenizer(texts, layout, vocabSize - layout.minVocabSize);
  const sides = { train: [] as number[], val: [] as number[] };
  let valBytes = 0;
  for (const [index, text] of texts.entries()) {
    const side = index % HELD_OUT_STRIDE === 0 ? "val" : "train";
    for (const id of tokenizer.encode(text)) sides[side].push(id);
    sides[side].push(tokenizer.endOfText);
    if (side === "val") valBytes += new TextEncoder().encode(text).length;
  }
  return { tokenizer, train: Uint16Array.from(sides.train), val: Uint16Array.from(sides.val), valBytes };
}

/** Trains a preset for `tokens` tokens and returns the finished run with its validation loss in nats per token. */
export async function pretrain(
  { tokenizer, train, val }: EncodedCorpus,
  named: Pick<RunSpec, "run" | "dataset" | "tokenizer">,
  { preset: name, tokens, seed }: { preset: string; tokens: number; seed: number },
  print: Print,
): Promise<{ loop: Loop; spec: RunSpec; valLoss: number }> {
  const preset = presetOf(name);
  const model = { ...preset.model, vocabSize: tokenizer.vocabSize };
  const training = { ...preset.training, seed, tokens };
  const rounds = totalRounds(training, model);
  const supervision = supervisionConfigSchema.parse({});
  const spec = { ...named, preset: name, endTokens: [tokenizer.endOfText], model, training, supervision, rounds };
  const loop = await Loop.begin(spec, train, val);
  for (;;) {
    const { round, loss, valLoss } = await loop.advance(REPORT_SECONDS);
    print(
      `${named.run}: round ${round} of ${rounds}, loss ${loss.toFixed(3)}${valLoss === null ? "" : `, validation ${valLoss.toFixed(3)}`}`,
    );
    if (valLoss !== null) return { loop, spec, valLoss };
  }
}
