/**
 * A run's ticks (statuses of a few hundred bytes) as server-sent events, for pages that stay open. An event's id is the newest
 * round that the event includes. When a browser reconnects, it sends the id of its last event, so it gets every round exactly once.
 * Browsers reopen a broken stream themselves.
 */
import type { RunTick, TickEvent } from "../../shared/contracts/runs.ts";
import { changesOf, eventStream, HEARTBEAT, RETRY_MS, type Sent } from "../../shared/event-stream.ts";

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

const written = (name: string, id: number, data: TickEvent) =>
  `event: ${name}\nid: ${id}\nretry: ${RETRY_MS}\ndata: ${JSON.stringify(data)}\n\n`;

/** `since` is the newest round that the reader knows; null for a reader that knows nothing. */
export function tickEvents(source: TickSource, since: number | null): ReadableStream<Uint8Array> {
  let before: RunTick | null = null;
  let told = since;

  /** The text of the next event; null when nothing has changed. */
  function eventOf(tick: RunTick): string | null {
    const newest = (tick.round ?? 0) - 1;
    const losses = told === null || told >= newest ? [] : source.lossesAfter(told, MAX_LOSSES + 1);
    const changes = changesOf(before, tick);
    const isNews = before === null || losses.length > 0 || Object.keys(changes).some((name) => !VOLATILE.has(name));
    if (!isNews) return null;
    before = tick;
    told = newest;
    const isBehind = losses.length > MAX_LOSSES;
    return written("tick", newest, { ...changes, ...(isBehind ? { isBehind } : losses.length > 0 ? { losses } : {}) });
  }

  const next = async (isSilent: boolean): Promise<Sent | null> => {
    const tick = await source.tick();
    if (tick === null) return { text: written("deleted", told ?? -1, {}), isLast: true };
    const text = eventOf(tick) ?? (isSilent ? HEARTBEAT : null);
    return text === null ? null : { text, isLast: OVER.has(tick.state) };
  };
  return eventStream(next, (ms) => source.changed(ms));
}
