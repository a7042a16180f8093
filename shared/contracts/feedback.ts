/** A person's score of an answer. */
import { z } from "zod";

export const scoreRequestSchema = z.strictObject({
  /** The id of the answer that is scored. */
  id: z.string().min(1).max(64),
  score: z.number().min(0).max(1),
  comment: z.string().max(1000).optional(),
});
export type ScoreRequest = z.output<typeof scoreRequestSchema>;

/** The scores of a text: their mean (0 without scores) and the number of people who scored it. */
export const tallySchema = z.object({ reward: z.number(), votes: z.int() });
export type Tally = z.output<typeof tallySchema>;

export const storedScoreSchema = tallySchema.extend({ stored: z.literal(true) });
export type StoredScore = z.output<typeof storedScoreSchema>;
