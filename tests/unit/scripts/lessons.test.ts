import { describe, expect, test } from "vitest";
import { isHeldOutPhrasing } from "../../../scripts/lessons/grammar.ts";
import { drawLessons, FAMILIES, heldOutQuestions, heldOutReferences } from "../../../scripts/lessons/lessons.ts";
import { renderContext } from "../../../shared/lessons/context.ts";
import { parseLessons } from "../../../shared/lessons/lesson-set.ts";

const asked = ({ context, text }: { context: Record<string, string>; text: string }) => `${renderContext(context)} ${text}`;

describe("Tiffin's own lessons", () => {
  const lessons = drawLessons(1, 20_000);

  test("are equal for equal seeds and different for different seeds", () => {
    expect(drawLessons(1, 500)).toEqual(lessons.slice(0, 500));
    expect(drawLessons(2, 500)).not.toEqual(lessons.slice(0, 500));
  });

  test("are all accepted as a lesson set", () => {
    const { conversations, refusedLines } = parseLessons(lessons.map((lesson) => JSON.stringify(lesson)).join("\n"));
    expect([conversations.length, refusedLines]).toEqual([20_000, 0]);
  });

  test("never ask a question of the bench", () => {
    const shown = new Set(lessons.map(asked));
    const held = [...heldOutQuestions(), ...heldOutReferences(3, 200)];
    expect(held.filter((question) => shown.has(asked(question)))).toEqual([]);
    for (const { phrasings } of FAMILIES) expect(phrasings.some((_, index) => isHeldOutPhrasing(index))).toBe(true);
  });

  test("give each uncertain answer as often as the grammar states", () => {
    const songs = FAMILIES.find(({ name }) => name === "songs")!;
    for (const { context, answers } of songs.cases) {
      const given = lessons.filter(
        (lesson) => songs.phrasings.includes(lesson.text) && renderContext(lesson.context) === renderContext(context),
      );
      if (given.length === 0) continue;
      for (const { text, probability } of answers) {
        const count = given.filter(({ answer }) => answer === text).length;
        // Each draw gives the answer that is furthest behind its expected count. Several answers can be behind at once, and the
        // others wait for later draws. The test allows a difference of two for that.
        expect(Math.abs(count - probability * given.length)).toBeLessThanOrEqual(2);
      }
    }
  });
});
