/** The loss curve of a run, cut into as many stretches of rounds as a reader can show. */
import { z } from "zod";

const round = z.coerce.number().int().min(0).max(1e9);

export const curveQuerySchema = z.strictObject({
  /** The first and the last round to read. Default: the whole run. */
  from: round.optional(),
  to: round.optional(),
  /** The most stretches. */
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
  /** The number of rounds in a stretch. 1: every round has its own point. */
  every: z.int(),
  /** The losses of the first and the last round of the range, without averaging. Null if the range has no rounds. */
  first: pointSchema.nullable(),
  last: pointSchema.nullable(),
});
export type Curve = z.output<typeof curveSchema>;

export const eventsQuerySchema = z
  .strictObject({
    /** The run whose ticks are sent. */
    run: z.string().min(1).max(64).optional(),
    /** The crawl whose counters are sent. */
    crawl: z.string().min(1).max(128).optional(),
    /** The newest round of the run that the reader knows. The header `Last-Event-ID` has priority. */
    since: round.optional(),
  })
  .refine(({ run, crawl }) => (run === undefined) !== (crawl === undefined), { error: "expected either run or crawl", path: ["run"] });
