/**
 * A value that is expensive to look up, shared by all requests of an isolate. One request looks the value up. The other
 * requests get the last value; before the first value exists, they poll for it with their own timers, because Workers forbid a
 * request to await the work of another request
 * (developers.cloudflare.com/workers/observability/errors/#cross-request-promise-resolution).
 */

export interface LookSettings {
  /** A value is used for this long before the next look. */
  freshMs: number;
  /** After this time a look counts as dead, because its request was cut off. The next request looks again. */
  patienceMs: number;
  now: () => number;
  wait: (ms: number) => Promise<unknown>;
}

const POLL_MS = 10;

/** `look` returns null if it may not look the value up now. Then the result is the last value, or null if there is none. */
export function createCachedLook<T>({ freshMs, patienceMs, now, wait }: LookSettings) {
  let seen: { value: T; at: number } | null = null;
  let lookingSince: number | null = null;
  const isLooking = () => lookingSince !== null && now() - lookingSince < patienceMs;

  const isAwaitingFirst = () => seen === null && isLooking();

  return async (look: () => Promise<T | null>): Promise<T | null> => {
    while (isAwaitingFirst()) await wait(POLL_MS);
    if (seen !== null && (isLooking() || now() - seen.at < freshMs)) return seen.value;
    const startedAt = now();
    lookingSince = startedAt;
    try {
      const value = await look();
      // The age counts from the start of the look, so after a slow look the next look starts at once.
      if (value !== null) seen = { value, at: startedAt };
    } finally {
      if (lookingSince === startedAt) lookingSince = null;
    }
    return seen?.value ?? null;
  };
}
