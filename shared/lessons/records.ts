/**
 * Records of an sft dataset: `context` + 1 pairs (token, flag), where the flag says whether the token is learned. A record is
 * one conversation, padded with zeros: padded and not packed, so that no conversation sees another. A record may also be a
 * piece of the text that the model was pretrained on, learned whole, so that the model does not forget it.
 */
import { CHATML, chatTokens, type Message } from "../tokenizer/chat-template.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";

/** Numbers of a record. */
export const recordNumbers = (context: number): number => 2 * (context + 1);

/** The pairs of a record up to the last learned token. What comes after it teaches nothing. */
export function pairsOf(record: Uint16Array): number {
  let pairs = record.length / 2;
  while (pairs > 0 && record[2 * pairs - 1] === 0) pairs--;
  return pairs;
}

/** Writes ids and their flags into an empty record. The end of what is too long is kept, as in serving. */
function fill(record: Uint16Array, ids: ArrayLike<number>, isLearned: (index: number) => boolean): void {
  const first = Math.max(0, ids.length - record.length / 2);
  for (let index = first; index < ids.length; index++) {
    record[2 * (index - first)] = ids[index]!;
    record[2 * (index - first) + 1] = isLearned(index) ? 1 : 0;
  }
}

/** A conversation in ChatML up to the end of its last answer. The first token of a record is never learned: nothing is before it. */
export function conversationRecord(tokenizer: Tokenizer, messages: readonly Message[], context: number): Uint16Array {
  const { ids, isAnswer } = chatTokens(tokenizer, CHATML.render(messages, false));
  const record = new Uint16Array(recordNumbers(context));
  fill(record, ids.slice(0, isAnswer.lastIndexOf(true) + 1), (index) => isAnswer[index]!);
  return record;
}

/** A piece of text, all of it learned. */
export function textRecord(tokens: Uint16Array, context: number): Uint16Array {
  const record = new Uint16Array(recordNumbers(context));
  fill(record, tokens, () => true);
  return record;
}
