/**
 * How long answers, scores and tallies are kept. A D1 database holds 10 GB (developers.cloudflare.com/d1/platform/limits/),
 * and after some days an answer without scores is useless.
 */
import type { FeedbackStore } from "./store.ts";

export const DAY_MS = 24 * 3_600_000;
/** An answer can be scored for this many days. */
export const UNSCORED_DAYS = 7;
/** A scored answer, its scores and the tally of its text are kept for this many days after the last score. */
export const SCORED_DAYS = 365;
/**
 * An unscored answer is deleted when this many answers are newer. If every row has the largest size (16 KB of text, 1 KB of
 * answer), the answers take 8.5 GB.
 */
export const MAX_RESPONSES = 500_000;
/** Rows per statement. Each statement stays far below D1's limit of 30 s. */
const BATCH_ROWS = 1000;
/** Batches of each deletion per cron tick. A tick every ten minutes deletes at most 2.9 million answers a day. */
const MAX_BATCHES = 20;

/** Deletes rows that are too old, in batches of limited size; the next tick continues. Returns the number of deleted rows. */
export async function deleteOld(store: FeedbackStore, now: number, maxResponses: number = MAX_RESPONSES): Promise<number> {
  const ago = (days: number) => new Date(now - days * DAY_MS).toISOString();
  const overflow = (await store.timeOfOldestKept(maxResponses)) ?? "";
  const unscoredBefore = overflow > ago(UNSCORED_DAYS) ? overflow : ago(UNSCORED_DAYS);
  const deletions = [
    () => store.deleteUnscored(unscoredBefore, BATCH_ROWS),
    () => store.deleteScored(ago(SCORED_DAYS), BATCH_ROWS),
    () => store.deleteTallies(ago(SCORED_DAYS), BATCH_ROWS),
  ];
  let deleted = 0;
  for (const deleteBatch of deletions) {
    for (let batch = 0; batch < MAX_BATCHES; batch++) {
      const count = await deleteBatch();
      deleted += count;
      if (count < BATCH_ROWS) break;
    }
  }
  return deleted;
}
