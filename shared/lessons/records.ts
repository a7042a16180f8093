/**
 * Records of an sft dataset. A record is `context` + 1 pairs (token, flag); the flag is 1 if the token is learned. A record
 * holds one conversation, padded with zeros. Records are not packed, so that no conversation attends to another. A record may
 * also hold a piece of pretraining text. All its tokens are learned, so that the model does not forget that text.
 */
import { CHATML, chatTokens, type Message } from "../tokenizer/chat-template.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";

/** The length of a record in 16-bit numbers. */
export const recordNumbers = (context: number): number => 2 * (context + 1);

/** The number of pairs up to the last learned token. Later pairs add nothing to the loss. */
export function pairsOf(record: Uint16Array): number {
  let pairs = record.length / 2;
  while (pairs > 0 && record[2 * pairs - 1] === 0) pairs--;
  return pairs;
}

/** Writes token ids and flags into an empty record. If the ids are too many, the last ones are kept, as in serving. */
function fill(record: Uint16Array, ids: ArrayLike<number>, isLearned: (index: number) => boolean): void {
  const first = Math.max(0, ids.length - record.length / 2);
  for (let index = first; index < ids.length; index++) {
    record[2 * (index - first)] = ids[index]!;
    record[2 * (index - first) + 1] = isLearned(index) ? 1 : 0;
  }
}

/**
 * Encodes a conversation in ChatML, up to the end of its last answer. The loss never includes a record's first token, because no
 * token precedes it.
 */
export function conversationRecord(tokenizer: Tokenizer, messages: readonly Message[], context: number): Uint16Array {
  const { ids, isAnswer } = chatTokens(tokenizer, CHATML.render(messages, false));
  const record = new Uint16Array(recordNumbers(context));
  fill(record, ids.slice(0, isAnswer.lastIndexOf(true) + 1), (index) => isAnswer[index]!);
  return record;
}

/** Encodes a piece of text; all its tokens are learned. */
export function textRecord(tokens: Uint16Array, context: number): Uint16Array {
  const record = new Uint16Array(recordNumbers(context));
  fill(record, tokens, () => true);
  return record;
}
