/**
 * A stream of server-sent events (html.spec.whatwg.org/multipage/server-sent-events.html) about something that changes. The object
 * that changes makes the stream, so a stream costs one call however long it lasts.
 */

/** The least time between two events. */
const MIN_INTERVAL_MS = 500;
/**
 * Something is sent at least this often, even without a change. Then proxies keep the connection open, and clients know that the
 * stream is alive.
 */
const HEARTBEAT_MS = 15_000;
/** A browser waits this long before it opens a broken stream again. */
export const RETRY_MS = 1000;
/** A comment, which keeps the connection open and is no event. */
export const HEARTBEAT = ":\n\n";

/** What a stream sends next. After the last text the stream ends. */
export interface Sent {
  text: string;
  isLast: boolean;
}

/** The fields of `now` that differ from `before`; all fields if there is no `before`. */
export function changesOf<T extends object>(before: T | null, now: T): Partial<T> {
  if (before === null) return now;
  const changed = Object.entries(now).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(before[name as keyof T]));
  return Object.fromEntries(changed) as Partial<T>;
}

/**
 * `next` gives the text to send, or null if nothing has changed. It must give a text if `isSilent`, because then it is time for a
 * heartbeat. `changed` resolves at the next change, or after the given milliseconds; `next` is called only then.
 */
export function eventStream(
  next: (isSilent: boolean) => Sent | null | Promise<Sent | null>,
  changed: (ms: number) => Promise<void>,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const client = new AbortController();
  let sentAt = 0;
  return new ReadableStream({
    type: "bytes",
    async pull(controller) {
      await scheduler.wait(Math.max(0, MIN_INTERVAL_MS - (Date.now() - sentAt)));
      while (!client.signal.aborted) {
        const sent = await next(Date.now() - sentAt >= HEARTBEAT_MS);
        if (sent !== null) {
          sentAt = Date.now();
          controller.enqueue(encoder.encode(sent.text));
          if (sent.isLast) controller.close();
          return;
        }
        await changed(HEARTBEAT_MS - (Date.now() - sentAt));
      }
    },
    cancel() {
      client.abort();
    },
  });
}
