/**
 * A run's ticks (statuses of a few hundred bytes) as server-sent events, for pages that stay open
 * (html.spec.whatwg.org/multipage/server-sent-events.html). An event's id is the newest round that the event includes. When a
 * browser reconnects, it sends the id of its last event, so it gets every round exactly once. Browsers reopen a broken stream
 * themselves.
 */
import type { RunTick, TickEvent } from "../../shared/contracts/runs.ts";

const MIN_INTERVAL_MS = 500;
const HEARTBEAT_MS = 15_000;
/** A browser waits this long before it opens a broken stream again. */
const RETRY_MS = 1000;
/** The most rounds in one event. */
const MAX_LOSSES = 64;

const OVER: ReadonlySet<RunTick["state"]> = new Set(["done", "failed"]);
/** Fields that change all the time. A change of these fields alone sends no event. */
const VOLATILE: ReadonlySet<string> = new Set(["secondsLeft", "tokensPerSecond"]);

export interface TickSource {
  /** Null when the run was deleted. */
  tick(): Promise<RunTick | null>;
  /** Rounds after a round with their losses, oldest first. */
  lossesAfter(round: number, limit: number): [number, number][];
  /** Resolves at the next change, or after the given milliseconds. */
  changed(ms: number): Promise<void>;
}

/** The fields of `tick` that differ from `before`. */
function changesOf(before: RunTick | null, tick: RunTick): Partial<RunTick> {
  if (before === null) return tick;
  const changed = Object.entries(tick).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(before[name as keyof RunTick]));
  return Object.fromEntries(changed);
}

/** `since` is the newest round that the reader knows; null for a reader that knows nothing. */
export function tickEvents(source: TickSource, since: number | null): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const written = (name: string, id: number, data: TickEvent) =>
    encoder.encode(`event: ${name}\nid: ${id}\nretry: ${RETRY_MS}\ndata: ${JSON.stringify(data)}\n\n`);
  const client = new AbortController();
  let before: RunTick | null = null;
  let told = since;
  let sentAt = 0;

  /** The next event; null when nothing has changed. */
  function eventOf(tick: RunTick): { data: TickEvent; id: number } | null {
    const newest = (tick.round ?? 0) - 1;
    const losses = told === null || told >= newest ? [] : source.lossesAfter(told, MAX_LOSSES + 1);
    const changes = changesOf(before, tick);
    const isNews = before === null || losses.length > 0 || Object.keys(changes).some((name) => !VOLATILE.has(name));
    if (!isNews) return null;
    before = tick;
    told = newest;
    const isBehind = losses.length > MAX_LOSSES;
    return { data: { ...changes, ...(isBehind ? { isBehind } : losses.length > 0 ? { losses } : {}) }, id: newest };
  }

  return new ReadableStream({
    type: "bytes",
    async pull(controller) {
      await scheduler.wait(Math.max(0, MIN_INTERVAL_MS - (Date.now() - sentAt)));
      while (!client.signal.aborted) {
        const tick = await source.tick();
        const event = tick === null ? { data: {}, id: told ?? -1 } : eventOf(tick);
        if (event !== null || Date.now() - sentAt >= HEARTBEAT_MS) {
          sentAt = Date.now();
          controller.enqueue(event === null ? encoder.encode(":\n\n") : written(tick === null ? "deleted" : "tick", event.id, event.data));
          if (tick === null || OVER.has(tick.state)) controller.close();
          return;
        }
        await source.changed(HEARTBEAT_MS - (Date.now() - sentAt));
      }
    },
    cancel() {
      client.abort();
    },
  });
}
