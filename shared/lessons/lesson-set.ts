/**
 * Lesson sets: conversations, or labelled texts. A lesson is kept as often as it was posted, because its repetitions tell the
 * model how probable an answer is. Some questions are held out for validation with all their answers, so the remaining questions
 * keep their answers' proportions.
 */
import type { LessonSet } from "../artifacts.ts";
import type { LabelledSet } from "./labelled.ts";
import { lessonOf, type Lesson } from "./forms.ts";
import { hashText } from "./hash-text.ts";

/** Maximum bytes of the JSON Lines of a set. */
export const MAX_LESSON_BYTES = 8 * 1024 * 1024;
export const MAX_LESSONS = 100_000;
/** Maximum number of refused lines to list. `refusedLines` counts all of them. */
const MAX_REFUSED_SHOWN = 100;
const HELD_OUT_SHARE = 0.05;

export interface ParsedLessons {
  /** At least one of the two lists is empty: a set has lessons of one kind. */
  conversations: LessonSet["conversations"];
  labelled: LabelledSet["labelled"];
  /** The first refused lines. Line numbers start at 1. */
  refused: { line: number; reason: string }[];
  refusedLines: number;
}

/**
 * Parses JSON Lines. Ignores empty lines. Refuses lines without a known form, lines of another kind than the first lesson, and
 * lines beyond MAX_LESSONS.
 */
export function parseLessons(text: string): ParsedLessons {
  const parsed: ParsedLessons = { conversations: [], labelled: [], refused: [], refusedLines: 0 };
  const { conversations, labelled } = parsed;
  /** Adds a lesson, or returns the reason why it is refused. */
  const add = (lesson: Lesson): string | null => {
    if (conversations.length + labelled.length >= MAX_LESSONS) return `expected at most ${MAX_LESSONS} lessons`;
    if ("labelled" in lesson) {
      if (conversations.length > 0) return "expected a conversation, as in the first lesson, got a label";
      labelled.push(lesson.labelled);
    } else {
      if (labelled.length > 0) return "expected a text with a label, as in the first lesson, got a conversation";
      conversations.push(lesson.messages);
    }
    return null;
  };
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const lesson = lessonOf(line);
    const reason = "reason" in lesson ? lesson.reason : add(lesson);
    if (reason === null) continue;
    parsed.refusedLines++;
    if (parsed.refused.length < MAX_REFUSED_SHOWN) parsed.refused.push({ line: index + 1, reason });
  }
  return parsed;
}

/** The lessons of a set, of either kind. */
export type LessonsOfSet = Pick<LessonSet, "conversations"> | Pick<LabelledSet, "labelled">;

/** The question of each lesson. Lessons with equal questions are held out together. A conversation's question is all but its last answer. */
function questionsOf(set: LessonsOfSet): string[] {
  if ("labelled" in set) return set.labelled.map(({ text, context }) => JSON.stringify([text, Object.entries(context).toSorted()]));
  return set.conversations.map((messages) => JSON.stringify(messages.slice(0, -1).map(({ role, content }) => [role, content])));
}

/**
 * Says for each lesson whether it is held out for validation. About one question in twenty is held out, but at least one question,
 * and never all. Returns null when all lessons have the same question.
 */
export function heldOutLessons(set: LessonsOfSet): boolean[] | null {
  return heldOutOf(questionsOf(set).map(hashText), HELD_OUT_SHARE);
}

/** Holds out about a share of 32-bit keys, equal keys together: at least one, and never all. Null when all keys are equal. */
export function heldOutOf(keys: readonly number[], share: number): boolean[] | null {
  const distinct = [...new Set(keys)].toSorted((a, b) => a - b);
  if (distinct.length < 2) return null;
  const below = Math.min(Math.max(share * 2 ** 32, distinct[0]! + 1), distinct.at(-1)!);
  return keys.map((key) => key < below);
}
