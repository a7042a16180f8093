/** Lesson sets: conversations to learn from, posted as JSON Lines. */
import { z } from "zod";
import { hashSchema } from "../artifacts.ts";

export const lessonSetInfoSchema = z.object({
  id: hashSchema,
  /** Bytes of the stored set. */
  bytes: z.int(),
  createdAt: z.string(),
});
export type LessonSetInfo = z.output<typeof lessonSetInfoSchema>;

const conversationSchema = z.array(z.object({ role: z.string(), content: z.string() }));

export const lessonSetDetailSchema = lessonSetInfoSchema.extend({
  conversations: z.int(),
  /** Conversations that a run is evaluated on and does not learn. */
  heldOut: z.int(),
  /** The first conversations. */
  examples: z.array(conversationSchema),
});
export type LessonSetDetail = z.output<typeof lessonSetDetailSchema>;

export const addedLessonsSchema = z.object({
  id: hashSchema,
  conversations: z.int(),
  heldOut: z.int(),
  /** Lines of no known form, of which the first are named. */
  refusedLines: z.int(),
  refused: z.array(z.object({ line: z.int(), reason: z.string() })),
});
export type AddedLessons = z.output<typeof addedLessonsSchema>;
