/** People's votes on answers. A vote needs the receipt of its answer (shared/receipts.ts). */
import { z } from "zod";
import { MAX_RECEIPT } from "../receipts.ts";

/** Characters of a correction: as many as a stored answer has at most. */
const MAX_CORRECTION = 8000;
const MAX_COMMENT = 1000;

/** The forms of a vote. A vote has exactly one of them. */
const forms = {
  score: z.number().min(0).max(1).optional(),
  thumb: z.enum(["up", "down"]).optional(),
  /** The index of the best candidate, in the order of the answer's `candidates`. */
  preferred: z.int().min(0).max(7).optional(),
  /** The answer that should have been given. */
  correction: z.string().max(MAX_CORRECTION).trim().min(1).optional(),
};

export const voteRequestSchema = z
  .strictObject({
    receipt: z.string().min(1).max(MAX_RECEIPT),
    ...forms,
    comment: z.string().max(MAX_COMMENT).optional(),
    /** The person, if one client votes for many. Only a hash of it is kept. */
    user: z.string().min(1).max(128).optional(),
  })
  .refine((vote) => Object.keys(forms).filter((form) => vote[form as keyof typeof forms] !== undefined).length === 1, {
    error: "expected exactly one of score, thumb, preferred and correction",
    path: ["score"],
  });
export type VoteRequest = z.output<typeof voteRequestSchema>;

/** The scores of a text: their mean (0 without scores) and the number of people who scored it. */
export const tallySchema = z.object({ reward: z.number(), votes: z.int() });
export type Tally = z.output<typeof tallySchema>;

export const storedVoteSchema = tallySchema.extend({
  stored: z.literal(true),
  /** The name under which the votes of this person are kept. The operator exports or deletes them by this name. */
  rater: z.string(),
});
export type StoredVote = z.output<typeof storedVoteSchema>;

const RATING_KINDS = ["score", "thumb", "preferred", "correction"] as const;

/** A vote as it is kept. */
export const ratingSchema = z.object({
  number: z.int(),
  id: z.string(),
  rater: z.string(),
  kind: z.enum(RATING_KINDS),
  score: z.number().nullable(),
  preferred: z.int().nullable(),
  correction: z.string().nullable(),
  comment: z.string().nullable(),
  createdAt: z.string(),
  /** The snapshot that has used the vote. Then it no longer changes. */
  snapshot: z.string().nullable(),
});
export type Rating = z.output<typeof ratingSchema>;

export const pageQuerySchema = z.object({
  /** `next` of the page before. */
  after: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(100).default(50),
});
export type PageQuery = z.output<typeof pageQuerySchema>;

export const ratingsSchema = z.object({
  ratings: z.array(ratingSchema),
  /** The number after which the next page begins; null at the end. */
  next: z.int().nullable(),
});
export type Ratings = z.output<typeof ratingsSchema>;

export const forgottenSchema = z.object({ deleted: z.string(), ratings: z.int() });
