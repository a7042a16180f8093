/**
 * A value that is expensive to look up, shared by all requests of an isolate. One request looks; the others get the last value,
 * or wait for the first one by their own timers, because Workers forbid a request to await the work of another request
 * (developers.cloudflare.com/workers/observability/errors/#cross-request-promise-resolution).
 */

export interface LookSettings {
  /** A value is served for this long without a new look. */
  freshMs: number;
  /** A look that takes longer was cut off with its request, and the next request looks again. */
  patienceMs: number;
  now: () => number;
  wait: (ms: number) => Promise<unknown>;
}

const POLL_MS = 10;

/** `look` returns null when it may not look now. The result is null when nothing has been seen yet and nothing may be looked up. */
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
      // The second counts from the start of a look, so a slow look is followed by the next one at once.
      if (value !== null) seen = { value, at: startedAt };
    } finally {
      if (lookingSince === startedAt) lookingSince = null;
    }
    return seen?.value ?? null;
  };
}
