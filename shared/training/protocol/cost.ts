/** What trainers' time costs. */

/** Dollars per million CPU milliseconds of the paid plan, beyond the included ones. developers.cloudflare.com/workers/platform/pricing/#workers */
const DOLLARS_PER_MILLION_CPU_MS = 0.02;

/**
 * Cents for trainers' time. The time is from lease to result by the coordinator's clock, since clocks stand still during
 * computation in a Worker; it includes transfers, so it is an upper bound of CPU time.
 */
export function centsOf(milliseconds: number): number {
  return (milliseconds / 1e6) * DOLLARS_PER_MILLION_CPU_MS * 100;
}
