/**
 * Turns a text into a dataset of its characters, for benches. One character is one token, and the first nine tenths are
 * training data. Such a dataset has no tokenizer, unlike crawled text.
 */
import type { StoredDataset, Hash } from "../../../shared/artifacts.ts";
import { datasetObjects, type StoredObject } from "../../local/dataset-objects.ts";

const TRAIN_SHARE = 0.9;
const NO_TOKENIZER = "0".repeat(64);

/** Characters as ids, in the order of their codes. The tokens before `split` are training data, the rest is validation data. */
export function charTokens(text: string): { vocabSize: number; split: number; train: Uint16Array; val: Uint16Array } {
  const characters = [...new Set(text)].toSorted();
  const ids = new Map(characters.map((character, id) => [character, id]));
  const tokens = Uint16Array.from([...text], (character) => ids.get(character)!);
  const split = Math.floor(tokens.length * TRAIN_SHARE);
  return { vocabSize: characters.length, split, train: tokens.slice(0, split), val: tokens.slice(split) };
}

/** A dataset's manifest, its hash, and every object that the manifest names. */
export async function charDataset(text: string): Promise<{ hash: Hash; dataset: StoredDataset; objects: StoredObject[] }> {
  const { split, ...tokens } = charTokens(text);
  const valBytes = new TextEncoder().encode([...text].slice(split).join("")).byteLength;
  return datasetObjects({ ...tokens, tokenizer: NO_TOKENIZER, valBytes });
}
