/** How long a server that answers 429 or 503 asks clients to wait (RFC 9110, section 10.2.3). */

/** Used when the header has no usable value. */
const DEFAULT_MS = 60_000;
/** A longer wait is cut to a day: it means "not today". */
const MAX_MS = 24 * 3600 * 1000;

/** Retry-After in seconds or as a date -> milliseconds from `now`. */
export function retryAfterMs(value: string | null, now: number): number {
  const text = value?.trim() ?? "";
  if (/^\d+$/.test(text)) return Math.min(Number(text) * 1000, MAX_MS);
  // A date begins with the name of its day. Date.parse alone would also accept "-5" and "1.5".
  const at = /^[A-Za-z]{3}/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? DEFAULT_MS : Math.min(Math.max(0, at - now), MAX_MS);
}
