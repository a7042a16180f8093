/**
 * A crawl's counters as server-sent events: all of them first, then what changes. A browser that reconnects gets all of them again,
 * so no change is lost. The stream ends with the crawl.
 */
import type { Crawl } from "../../shared/contracts/sources.ts";
import { changesOf, eventStream, HEARTBEAT, RETRY_MS, type Sent } from "../../shared/event-stream.ts";

/** `changed` resolves at the next change of any crawl, or after the given milliseconds. */
export function crawlEvents(read: () => Crawl | null, changed: (ms: number) => Promise<void>): ReadableStream<Uint8Array> {
  let before: Crawl | null = null;
  const next = (isSilent: boolean): Sent | null => {
    const crawl = read();
    const changes = crawl === null ? {} : changesOf(before, crawl);
    before = crawl;
    const isLast = crawl === null || crawl.state === "done";
    if (Object.keys(changes).length > 0) return { text: `event: crawl\nretry: ${RETRY_MS}\ndata: ${JSON.stringify(changes)}\n\n`, isLast };
    return isSilent ? { text: HEARTBEAT, isLast } : null;
  };
  return eventStream(next, changed);
}
