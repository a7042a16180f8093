/**
 * A lesson set as the records of an sft dataset, a bounded number at a time: first its conversations, then pieces of the
 * pretraining text, which are learned beside them so that the model keeps what it knew.
 *
 * The pieces lie evenly over the text, and are as long as the longest conversation: a longer piece would make every batch
 * that holds it longer. Records are read in random order, so it does not matter where in the stream they lie.
 */
import type { LessonSet } from "../artifacts.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import { conversationRecord, pairsOf, recordNumbers, textRecord } from "./records.ts";

/** Records that replay pretraining text, for a share of all training records. */
export const replayRecords = (conversations: number, share: number): number => Math.round((conversations * share) / (1 - share));

export interface EncodedSides {
  train: Uint16Array;
  val: Uint16Array;
  /** Pairs of the longest conversation. */
  longest: number;
}

/** The records of the conversations [first, end). */
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

/** Where piece `index` of `count` begins in a text of `tokens`. */
export function pieceStart(index: number, count: number, tokens: number, length: number): number {
  return Math.floor((index * Math.max(0, tokens - length)) / Math.max(1, count - 1));
}

/** Pieces of text as records. */
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
