/** Which answers of a question are right: the most probable ones in the grammar. */
import type { Question } from "../../../lessons/grammar.ts";

/** Answers whose probabilities in the grammar differ by less than this count as equally right. */
const TIE = 0.011;

export function rightAnswers({ answers }: Pick<Question, "answers">): Set<string> {
  const highest = Math.max(...answers.map(({ probability }) => probability));
  return new Set(answers.filter(({ probability }) => probability > highest - TIE).map(({ text }) => text));
}
