/** Pairs of answers to instructions, from a file of {instruction, input, output, chosen, rejected}: split by instruction, encoded. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import { hashText } from "../../../../shared/lessons/hash-text.ts";
import { conversationRecord, pairsOf, recordNumbers } from "../../../../shared/lessons/records.ts";
import type { Pair } from "../../../../shared/preferences/records.ts";
import type { Tokenizer } from "../../../../shared/tokenizer/tokenizer.ts";

const HELD_OUT_SHARE = 0.2;

const fileSchema = z.array(
  z.object({ instruction: z.string(), input: z.string(), output: z.string(), chosen: z.string(), rejected: z.string() }),
);

export interface Example extends Pair {
  /** The answer before anybody preferred one. */
  output: string;
}

export interface Split {
  train: Example[];
  heldOut: Example[];
  /** Examples left out because their text is longer than the model's context. */
  tooLong: number;
}

/** Reads the pairs that fit into the context. Equal instructions are on the same side. */
export function readPairs(file: string, tokenizer: Tokenizer, context: number): Split {
  const split: Split = { train: [], heldOut: [], tooLong: 0 };
  for (const { instruction, input, output, chosen, rejected } of fileSchema.parse(JSON.parse(readFileSync(file, "utf8")))) {
    if (chosen === rejected) continue;
    const content = input === "" ? instruction : `${instruction}\n\n${input}`;
    const example: Example = { messages: [{ role: "user", content }], better: chosen, worse: rejected, output };
    const fits = [chosen, rejected, output].every((answer) => lengthOf(tokenizer, content, answer, context) < context);
    if (!fits) split.tooLong++;
    else (hashText(instruction) < HELD_OUT_SHARE * 2 ** 32 ? split.heldOut : split.train).push(example);
  }
  return split;
}

function lengthOf(tokenizer: Tokenizer, question: string, answer: string, context: number): number {
  const messages = [
    { role: "user", content: question },
    { role: "assistant", content: answer },
  ] as const;
  return pairsOf(conversationRecord(tokenizer, messages, context));
}

/** The neutral answers as records of lessons. */
export function lessonStream(tokenizer: Tokenizer, examples: readonly Example[], context: number): Uint16Array {
  const numbers = new Uint16Array(examples.length * recordNumbers(context));
  for (const [index, { messages, output }] of examples.entries())
    numbers.set(
      conversationRecord(tokenizer, [...messages, { role: "assistant", content: output }], context),
      index * recordNumbers(context),
    );
  return numbers;
}
