/** The price of trainers' time. */

/**
 * Dollars per million CPU milliseconds on the paid plan, above the included amount.
 * developers.cloudflare.com/workers/platform/pricing/#workers
 */
const DOLLARS_PER_MILLION_CPU_MS = 0.02;

/**
 * Converts trainers' time to cents. The coordinator measures the time from lease to result, because a Worker's clock stands
 * still while it computes. The time includes transfers, so it is an upper bound of CPU time.
 */
export function centsOf(milliseconds: number): number {
  return (milliseconds / 1e6) * DOLLARS_PER_MILLION_CPU_MS * 100;
}
