/** What to read next when the reader puts another token in the place of one that the model has read. */
import type { Explanation } from "../../../../../shared/contracts/explain.ts";

export interface Text {
  form: "question" | "text";
  text: string;
  /** The beginning of an answer. Empty: none. */
  answer: string;
  time: string;
  place: string;
}

const CONTROL = /^<\|.*\|>$/;
const REPLACEMENT = "\uFFFD";

/**
 * The text or the answer with `token` at the position `at`; the position after the last token adds one. Null if the token is no
 * whole text, or if the position belongs to the question or to the form of a conversation.
 */
export function continuationOf(
  { read, tokens }: Pick<Explanation, "read" | "tokens">,
  { form, answer }: Pick<Text, "form" | "answer">,
  at: number,
  token: string,
): Partial<Text> | null {
  if (CONTROL.test(token) || token.includes(REPLACEMENT)) return null;
  const end = tokens.at(-1)?.end ?? 0;
  const start = tokens[at]?.start ?? end;
  if (form === "text") return { text: sliceBytes(read, 0, start) + token };
  if (answer === "") return at === tokens.length ? { answer: token } : null;
  // An answer is followed by a control token, which ends it.
  const ended = tokens.findLastIndex(({ isControl }) => isControl);
  const answerEnd = tokens[ended]?.start ?? end;
  const answerStart = answerEnd - new TextEncoder().encode(answer).length;
  return start >= answerStart && at <= ended ? { answer: sliceBytes(read, answerStart, start) + token } : null;
}

function sliceBytes(text: string, from: number, to: number): string {
  return new TextDecoder().decode(new TextEncoder().encode(text).slice(from, to));
}
