/**
 * A crawl's counters as server-sent events (html.spec.whatwg.org/multipage/server-sent-events.html): all of them first, then what
 * changes. A browser that reconnects gets all of them again, so no change is lost. The stream ends with the crawl.
 */
import type { Crawl } from "../../shared/contracts/sources.ts";

const MIN_INTERVAL_MS = 500;
const HEARTBEAT_MS = 15_000;
/** A browser waits this long before it opens a broken stream again. */
const RETRY_MS = 1000;

function changesOf(before: Crawl | null, crawl: Crawl): Partial<Crawl> {
  if (before === null) return crawl;
  const changed = Object.entries(crawl).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(before[name as keyof Crawl]));
  return Object.fromEntries(changed);
}

/** `changed` resolves at the next change of any crawl, or after the given milliseconds. */
export function crawlEvents(read: () => Crawl | null, changed: (ms: number) => Promise<void>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const client = new AbortController();
  let before: Crawl | null = null;
  let sentAt = 0;
  return new ReadableStream({
    type: "bytes",
    async pull(controller) {
      await scheduler.wait(Math.max(0, MIN_INTERVAL_MS - (Date.now() - sentAt)));
      while (!client.signal.aborted) {
        const crawl = read();
        const changes = crawl === null ? {} : changesOf(before, crawl);
        const isNews = Object.keys(changes).length > 0;
        if (isNews || Date.now() - sentAt >= HEARTBEAT_MS) {
          before = crawl;
          sentAt = Date.now();
          const text = isNews ? `event: crawl\nretry: ${RETRY_MS}\ndata: ${JSON.stringify(changes)}\n\n` : ":\n\n";
          controller.enqueue(encoder.encode(text));
          if (crawl === null || crawl.state === "done") controller.close();
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
