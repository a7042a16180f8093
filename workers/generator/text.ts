/** From ids to the text of one answer: whole characters only, cut before the first stop string. */
import type { Tokenizer } from "../../shared/tokenizer/tokenizer.ts";

export interface TextOfIds {
  text: string;
  /** True when a stop string was found; the text ends before it. */
  isStopped: boolean;
}

/** The text of ids. The bytes of an incomplete last character are held back. */
export function textOf(tokenizer: Tokenizer, ids: readonly number[], stop: readonly string[]): TextOfIds {
  const text = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true }).decode(tokenizer.decodeBytes(ids), { stream: true });
  const found = stop.map((word) => text.indexOf(word)).filter((at) => at >= 0);
  return found.length === 0 ? { text, isStopped: false } : { text: text.slice(0, Math.min(...found)), isStopped: true };
}
