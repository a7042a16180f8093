/** How long a server asks clients to wait after a 429 or 503 (RFC 9110, section 10.2.3). */

/** The wait if the header has no usable value. */
const DEFAULT_MS = 60_000;
/** Longer waits are cut to a day. */
const MAX_MS = 24 * 3600 * 1000;

/** Converts Retry-After (seconds or a date) to milliseconds from `now`. */
export function retryAfterMs(value: string | null, now: number): number {
  const text = value?.trim() ?? "";
  if (/^\d+$/.test(text)) return Math.min(Number(text) * 1000, MAX_MS);
  // A date begins with a day's name. Without this check Date.parse would also accept "-5" and "1.5".
  const at = /^[A-Za-z]{3}/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? DEFAULT_MS : Math.min(Math.max(0, at - now), MAX_MS);
}
