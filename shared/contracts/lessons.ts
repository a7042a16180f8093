/** Lesson sets: conversations to train on, posted as JSON Lines. */
import { z } from "zod";
import { hashSchema } from "../artifacts.ts";

export const lessonSetInfoSchema = z.object({
  id: hashSchema,
  /** Size of the stored set in bytes. */
  bytes: z.int(),
  createdAt: z.string(),
});
export type LessonSetInfo = z.output<typeof lessonSetInfoSchema>;

const conversationSchema = z.array(z.object({ role: z.string(), content: z.string() }));

export const lessonSetDetailSchema = lessonSetInfoSchema.extend({
  conversations: z.int(),
  /** Conversations kept for validation; a run does not learn them. */
  heldOut: z.int(),
  /** The first conversations. */
  examples: z.array(conversationSchema),
});
export type LessonSetDetail = z.output<typeof lessonSetDetailSchema>;

export const addedLessonsSchema = z.object({
  id: hashSchema,
  conversations: z.int(),
  heldOut: z.int(),
  /** Number of lines in no known form. `refused` lists the first of them. */
  refusedLines: z.int(),
  refused: z.array(z.object({ line: z.int(), reason: z.string() })),
});
export type AddedLessons = z.output<typeof addedLessonsSchema>;
