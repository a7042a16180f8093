/** Where a text stands in the training corpus, word for word. */
import { z } from "zod";
import { hashSchema } from "../artifacts.ts";

export const traceRequestSchema = z
  .strictObject({
    text: z.string().min(1).max(4000).optional(),
    /** The id of an answer, whose text is traced. */
    id: z.string().min(1).max(64).optional(),
  })
  .refine(({ text, id }) => (text === undefined) !== (id === undefined), { error: "expected either text or id", path: ["text"] });
export type TraceRequest = z.output<typeof traceRequestSchema>;

export const tracedSchema = z.object({
  model: hashSchema,
  /** The text that was traced. */
  text: z.string(),
  /** Passages that are not part of longer ones, longest first. */
  passages: z.array(
    z.object({
      /** The passage in the text, in UTF-16 units: from `start`, before `end`. */
      start: z.int(),
      end: z.int(),
      text: z.string(),
      tokens: z.int(),
      /** Documents that contain the passage; there may be more. */
      documents: z.array(z.object({ url: z.string(), title: z.string(), licence: z.string() })),
    }),
  ),
});
export type Traced = z.output<typeof tracedSchema>;
