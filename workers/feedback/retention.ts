/**
 * How long answers, scores and tallies are kept. A D1 database holds 10 GB (developers.cloudflare.com/d1/platform/limits/), and
 * an answer without scores is of no use after some days.
 */
import type { FeedbackStore } from "./store.ts";

const DAY_MS = 24 * 3_600_000;
/** Days in which an answer can be scored. */
export const UNSCORED_DAYS = 7;
/** Days for which a scored answer, its scores and a text's tally outlive the last score. */
export const SCORED_DAYS = 365;
/** Answers kept at most, unless they were scored: at the largest size of a row (16 KB of text, 1 KB of answer) 8.5 GB. */
export const MAX_RESPONSES = 500_000;
/** Rows per statement, so that each stays far below D1's 30 s. */
const BATCH_ROWS = 1000;
/** Batches per cron tick: with a tick every ten minutes 2.9 million answers a day. */
const MAX_BATCHES = 20;

/** Deletes what has outlived its time, in bounded batches; the next tick continues. Returns how many rows were deleted. */
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
