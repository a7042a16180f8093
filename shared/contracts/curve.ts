/** The loss curve of a run in as many stretches as a reader can show, however many rounds there are. */
import { z } from "zod";

const round = z.coerce.number().int().min(0).max(1e9);

export const curveQuerySchema = z.strictObject({
  /** The first and the last round; left out: the whole run. */
  from: round.optional(),
  to: round.optional(),
  /** Stretches at most. */
  points: z.coerce.number().int().min(2).max(1000).default(400),
});
export type CurveQuery = z.output<typeof curveQuerySchema>;

/** A stretch of consecutive rounds: its last round, its least, mean and greatest loss, and when its last round was committed (ms). */
export const stretchSchema = z.object({ round: z.int(), low: z.number(), mean: z.number(), high: z.number(), at: z.number() });
export type Stretch = z.output<typeof stretchSchema>;
const pointSchema = z.object({ round: z.int(), loss: z.number() });

export const curveSchema = z.object({
  run: z.string(),
  stretches: z.array(stretchSchema),
  /** Rounds of a stretch; 1 when no round is hidden. */
  every: z.int(),
  /** The first and the last round of the range as they are; null when it has none. */
  first: pointSchema.nullable(),
  last: pointSchema.nullable(),
});
export type Curve = z.output<typeof curveSchema>;

export const eventsQuerySchema = z.strictObject({
  /** The run whose ticks are wanted. */
  run: z.string().min(1).max(64),
  /** The newest round that the reader knows, unless `Last-Event-ID` names it. */
  since: round.optional(),
});
