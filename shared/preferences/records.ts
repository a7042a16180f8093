/**
 * Records of a dataset of preferences. A record is a pair of conversations that differ in their last answer: first the better one,
 * then the worse one, each as a record of lessons (lessons/records.ts). Two float32 numbers follow, in two 16-bit numbers each: the
 * log-probability of either answer under the reference model, nats. Preference training needs them in every step, so they are
 * computed once (reference.ts). They are 0 in a record that has none yet.
 */
import { conversationRecord, recordNumbers } from "../lessons/records.ts";
import type { Message } from "../tokenizer/chat-template.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";

/** Numbers of the two log-probabilities. */
const REFERENCE_NUMBERS = 4;

/** The length of a record in 16-bit numbers. */
export const pairNumbers = (context: number): number => 2 * recordNumbers(context) + REFERENCE_NUMBERS;

/** A question (or a longer conversation) with a better and a worse answer. */
export interface Pair {
  messages: readonly Message[];
  better: string;
  worse: string;
}

/** Encodes pairs as consecutive records, without log-probabilities. */
export function pairRecords(tokenizer: Tokenizer, pairs: readonly Pair[], context: number): Uint16Array {
  const numbers = new Uint16Array(pairs.length * pairNumbers(context));
  for (const [index, { messages, better, worse }] of pairs.entries())
    for (const [side, content] of [better, worse].entries()) {
      const place = index * pairNumbers(context) + side * recordNumbers(context);
      numbers.set(conversationRecord(tokenizer, [...messages, { role: "assistant", content }], context), place);
    }
  return numbers;
}

/** The two conversations of a record, the better one first. */
export function conversationsOf(record: Uint16Array, context: number): [better: Uint16Array, worse: Uint16Array] {
  const size = recordNumbers(context);
  return [record.subarray(0, size), record.subarray(size, 2 * size)];
}

/** The log-probabilities of both answers under the reference model. */
export function referencesOf(record: Uint16Array, context: number): [better: number, worse: number] {
  const [better, worse] = new Float32Array(record.slice(2 * recordNumbers(context)).buffer);
  return [better!, worse!];
}

/** Writes the log-probabilities of both answers into a record. */
export function setReferences(record: Uint16Array, context: number, references: readonly [better: number, worse: number]): void {
  record.set(new Uint16Array(Float32Array.from(references).buffer), 2 * recordNumbers(context));
}
