/** Lesson sets: conversations, or texts with labels, posted as JSON Lines. */
import { z } from "zod";
import { hashSchema } from "../artifacts.ts";
import { labelledLessonSchema } from "../lessons/labelled.ts";

export const lessonSetInfoSchema = z.object({
  id: hashSchema,
  /** Size of the stored set in bytes. */
  bytes: z.int(),
  createdAt: z.string(),
});
export type LessonSetInfo = z.output<typeof lessonSetInfoSchema>;

/** Numbers of lessons. A set has conversations or labelled texts, so one of the two is 0. */
const counts = { conversations: z.int(), labelled: z.int() };

const conversationSchema = z.array(z.object({ role: z.string(), content: z.string() }));

export const lessonSetDetailSchema = lessonSetInfoSchema.extend({
  ...counts,
  /** Lessons kept for validation; a run does not learn them. */
  heldOut: z.int(),
  /** The first conversations. */
  examples: z.array(conversationSchema),
  /** The first labelled texts, and all labels of the set. */
  labelledExamples: z.array(labelledLessonSchema),
  labels: z.array(z.string()),
});
export type LessonSetDetail = z.output<typeof lessonSetDetailSchema>;

export const addedLessonsSchema = z.object({
  id: hashSchema,
  ...counts,
  heldOut: z.int(),
  /** Number of lines in no known form. `refused` lists the first of them. */
  refusedLines: z.int(),
  refused: z.array(z.object({ line: z.int(), reason: z.string() })),
});
export type AddedLessons = z.output<typeof addedLessonsSchema>;
