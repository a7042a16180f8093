/**
 * Encodes a lesson set as the records of an sft dataset, some at a time. The records are the conversations, then pieces of the
 * pretraining text. The model learns both together, so that it keeps its knowledge.
 *
 * The pieces are spread evenly over the text. A piece is as long as the longest conversation, because a longer piece would make
 * its batch longer. The order of records in the stream does not matter, because training reads them in random order.
 */
import type { LessonSet } from "../artifacts.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import { conversationRecord, pairsOf, recordNumbers, textRecord } from "./records.ts";

/** The number of replay records, if they are the fraction `share` of all training records. */
export const replayRecords = (conversations: number, share: number): number => Math.round((conversations * share) / (1 - share));

export interface EncodedSides {
  train: Uint16Array;
  val: Uint16Array;
  /** The longest conversation, in (token, flag) pairs. */
  longest: number;
}

/** Encodes the conversations [first, end). */
export function encodeConversations(
  tokenizer: Tokenizer,
  { conversations }: Pick<LessonSet, "conversations">,
  heldOut: readonly boolean[],
  [first, end]: readonly [number, number],
  context: number,
): EncodedSides {
  const sides = { train: [] as Uint16Array[], val: [] as Uint16Array[] };
  let longest = 0;
  for (let index = first; index < end; index++) {
    const record = conversationRecord(tokenizer, conversations[index]!, context);
    longest = Math.max(longest, pairsOf(record));
    (heldOut[index]! ? sides.val : sides.train).push(record);
  }
  return { train: joined(sides.train, context), val: joined(sides.val, context), longest };
}

/** The first token of piece `index` in a text of `tokens` tokens. There are `count` pieces of `length` tokens. */
export function pieceStart(index: number, count: number, tokens: number, length: number): number {
  return Math.floor((index * Math.max(0, tokens - length)) / Math.max(1, count - 1));
}

/** Encodes pieces of text as records. */
export const encodePieces = (pieces: readonly Uint16Array[], context: number): Uint16Array =>
  joined(
    pieces.map((piece) => textRecord(piece, context)),
    context,
  );

function joined(records: readonly Uint16Array[], context: number): Uint16Array {
  const size = recordNumbers(context);
  const numbers = new Uint16Array(records.length * size);
  for (const [index, record] of records.entries()) numbers.set(record, index * size);
  return numbers;
}
