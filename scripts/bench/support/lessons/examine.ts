/** Asks a taught model the held-out questions and compares its answers with the probabilities in the grammar. */
import type { Print } from "../../../cli/runner.ts";
import type { Context } from "../../../lessons/grammar.ts";
import { SONG_ANSWERS } from "../../../lessons/songs.ts";
import { heldOutQuestions, heldOutReferences } from "../../../lessons/lessons.ts";
import { mean } from "../statistics.ts";
import { rightAnswers } from "./right-answers.ts";
import { scoreCandidates, type Taught } from "./scores.ts";

const REFERENCES = 200;
const REFERENCE_SEED = 99;

export function examine(taught: Taught, print: Print) {
  const families = new Map<string, { exact: number[]; top: number[]; errors: number[] }>();
  const combinations: number[] = [];
  for (const question of heldOutQuestions()) {
    const { family, context, text, answers, candidates } = question;
    const scored = scoreCandidates(taught, context, text, candidates);
    const best = scored.reduce((a, b) => (b.probability > a.probability ? b : a));
    const right = rightAnswers(question);
    const found = families.get(family) ?? { exact: [], top: [], errors: [] };
    families.set(family, found);
    const isRight = right.has(best.text) ? 1 : 0;
    found.top.push(isRight);
    if (question.isCombination) combinations.push(isRight);
    found.exact.push(scored.some((candidate) => candidate.isGreedy && right.has(candidate.text)) ? 1 : 0);
    if (answers.length > 1)
      for (const answer of answers)
        found.errors.push(Math.abs(answer.probability - scored.find((candidate) => candidate.text === answer.text)!.probability));
  }
  for (const [family, { exact, top, errors }] of families)
    print(
      `${family.padEnd(12)} ${String(top.length).padStart(4)} questions: ${(100 * mean(top)).toFixed(0)} % right, ${(100 * mean(exact)).toFixed(0)} % word for word${errors.length === 0 ? "" : `, ${(100 * mean(errors)).toFixed(1)} points off`}`,
    );
  const all = [...families.values()];
  const references = heldOutReferences(REFERENCE_SEED, REFERENCES).map(({ context, text, nouns }) => {
    const [right, wrong] = scoreCandidates(
      taught,
      context,
      text,
      text.startsWith("The ") ? nouns.map((noun) => `The ${noun}.`) : nouns.map((noun) => `${noun}.`),
    );
    return right!.probability > wrong!.probability ? 1 : 0;
  });
  return {
    heldOutExact: mean(all.flatMap(({ exact }) => exact)),
    heldOutTopOne: mean(all.flatMap(({ top }) => top)),
    combinationsTopOne: mean(combinations),
    songsGym: songs(taught, { time: "06:00", place: "gym" }, "workout", print),
    songsParty: songs(taught, { time: "22:00", place: "party" }, "party", print),
    calibrationError: mean(all.flatMap(({ errors }) => errors)),
    pronounRight: mean(references),
  };
}

/** The model's probability of one kind of songs among all kinds. */
function songs(taught: Taught, context: Context, kind: string, print: Print): number {
  const scored = scoreCandidates(taught, context, "I need songs", SONG_ANSWERS);
  print(`I need songs, ${JSON.stringify(context)}:`);
  for (const { text, probability } of scored) print(`  ${(100 * probability).toFixed(0).padStart(3)} % ${text}`);
  return scored.find(({ text }) => text.includes(` ${kind} `))!.probability;
}
