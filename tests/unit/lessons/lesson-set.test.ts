import { describe, expect, test } from "vitest";
import { heldOutLessons, parseLessons } from "../../../shared/lessons/lesson-set.ts";
import type { Message } from "../../../shared/tokenizer/chat-template.ts";

const lines = (...values: unknown[]) => values.map((value) => (typeof value === "string" ? value : JSON.stringify(value))).join("\n");
const user = (content: string): Message => ({ role: "user", content });
const assistant = (content: string): Message => ({ role: "assistant", content });

const asked = (question: number, answer: number) => [user(`question ${question}`), assistant(`answer ${answer}`)];

describe("lessons", () => {
  test("are read in four forms", () => {
    const text = lines(
      { messages: [{ role: "system", content: "Be kind." }, user("Hi"), assistant("Hello!")] },
      { instruction: "Add.", input: "1 and 2", output: "3" },
      { instruction: "Say hi.", input: "", output: "Hi." },
      { prompt: "2 + 2 =", completion: " 4\n", id: 7 },
      { context: { place: "gym", time: 6 }, text: "I need songs", answer: "Run!" },
      { text: "Tea?", answer: "Yes." },
    );
    expect(parseLessons(text)).toEqual({
      conversations: [
        [{ role: "system", content: "Be kind." }, user("Hi"), assistant("Hello!")],
        [user("Add.\n\n1 and 2"), assistant("3")],
        [user("Say hi."), assistant("Hi.")],
        [user("2 + 2 ="), assistant("4")],
        [{ role: "system", content: "time: morning, 06:00\nplace: gym" }, user("I need songs"), assistant("Run!")],
        [user("Tea?"), assistant("Yes.")],
      ],
      labelled: [],
      refused: [],
      refusedLines: 0,
    });
  });

  test.each([
    ["{", /^expected JSON: /],
    ["[1]", /^expected an object with messages, or instruction and output, or /],
    ["{}", /^expected messages, or .*, got no field$/],
    [lines({ question: "a", reply: "b" }), /got question, reply$/],
    [lines({ messages: [] }), /^messages: /],
    [lines({ messages: [{ role: "robot", content: "a" }] }), /^messages\.0\.role: /],
    [lines({ messages: [assistant("a"), user("b")] }), /^messages: expected the last message to be the assistant's$/],
    [lines({ messages: [user("a"), { role: "assistant", content: ["b"] }] }), /^messages\.1\.content: /],
    [lines({ prompt: "a", completion: "  " }), /^completion: /],
    [lines({ instruction: 1, output: "a" }), /^instruction: /],
    [lines({ text: "a", answer: "b", context: { place: ["x"] } }), /^context\.place: /],
    [lines({ text: "a", label: " " }), /^label: /],
    [lines({ text: "a", label: "b".repeat(129) }), /^label: /],
    [lines({ text: "a".repeat(4001), label: "b" }), /^text: /],
  ])("that are %s are refused with the reason", (line, reason) => {
    const { conversations, refused, refusedLines } = parseLessons(`\n${line}\n`);
    expect(conversations).toEqual([]);
    expect(refusedLines).toBe(1);
    expect(refused).toEqual([{ line: 2, reason: expect.stringMatching(reason) as string }]);
  });

  test("with labels are a set of their own: the first lesson decides the kind of the set", () => {
    const labelled = [
      { text: "I need songs", context: { time: 6 }, label: "workout" },
      { text: "Tea?", context: {}, label: "drink" },
    ];
    const conversation = { text: "Tea?", answer: "Yes." };
    expect(parseLessons(lines(labelled[0], conversation, { text: " Tea? ", label: "drink" }))).toEqual({
      conversations: [],
      labelled,
      refused: [{ line: 2, reason: "expected a text with a label, as in the first lesson, got a conversation" }],
      refusedLines: 1,
    });
    const first = parseLessons(lines(conversation, labelled[0]));
    expect([first.labelled, first.conversations.length]).toEqual([[], 1]);
    expect(first.refused).toEqual([{ line: 2, reason: "expected a conversation, as in the first lesson, got a label" }]);
  });

  test("that are refused are all counted, and the first hundred are named", () => {
    const { conversations, refused, refusedLines } = parseLessons(
      lines(...Array.from({ length: 150 }, () => "no"), { text: "a", answer: "b" }),
    );
    expect([conversations.length, refused.length, refusedLines]).toEqual([1, 100, 150]);
  });
});

const labelledLesson = (index: number, label: string) => ({
  text: `t${index}`,
  context: index % 2 === 0 ? { a: 1, b: index } : { b: index, a: 1 },
  label,
});

describe("validation", () => {
  test("holds out questions with all their answers, about one in twenty", () => {
    const conversations = Array.from({ length: 3000 }, (_, index) => asked(Math.floor(index / 3), index % 3));
    const heldOut = heldOutLessons({ conversations })!;
    for (let first = 0; first < 3000; first += 3) expect(new Set(heldOut.slice(first, first + 3)).size).toBe(1);
    // 1,000 questions at 5 %: 50, plus or minus four standard deviations.
    const questions = heldOut.filter(Boolean).length / 3;
    expect(Math.abs(questions - 50)).toBeLessThan(4 * Math.sqrt(1000 * 0.05 * 0.95));
  });

  test("has at least one question and never all questions", () => {
    for (let count = 2; count < 12; count++) {
      const heldOut = heldOutLessons({ conversations: Array.from({ length: count }, (_, index) => asked(index, 0)) })!;
      expect(heldOut.filter(Boolean).length).toBeGreaterThan(0);
      expect(heldOut.every(Boolean)).toBe(false);
    }
  });

  test("keeps equal texts in equal contexts on one side, whatever their labels and the order of their keys", () => {
    const labelled = Array.from({ length: 40 }, (_, index) => [labelledLesson(index, "x"), labelledLesson(index, "y")]).flat();
    const heldOut = heldOutLessons({ labelled })!;
    expect(heldOut.some(Boolean) && !heldOut.every(Boolean)).toBe(true);
    for (let first = 0; first < heldOut.length; first += 2) expect(heldOut[first]).toBe(heldOut[first + 1]);
    const swapped = labelled.map(({ text, label, context }) => ({
      text,
      label,
      context: Object.fromEntries(Object.entries(context).toReversed()),
    }));
    expect(heldOutLessons({ labelled: swapped })).toEqual(heldOut);
  });

  test("is impossible if all lessons ask the same question", () => {
    expect(heldOutLessons({ conversations: [asked(1, 1), asked(1, 2)] })).toBeNull();
  });
});
