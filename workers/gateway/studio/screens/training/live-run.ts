/**
 * Follows one run: its newest tick and its loss curve. The curve is read once for each range; later rounds arrive as events. A
 * hidden tab closes its stream of events. When it is visible again, a new stream continues after the newest known round.
 */
import { batch, signal } from "@preact/signals";
import type { Curve, Stretch } from "../../../../../shared/contracts/curve.ts";
import type { RunTick, TickEvent } from "../../../../../shared/contracts/runs.ts";
import { call } from "../../frame/api.ts";
import { RETRY_MS } from "../../frame/polling.ts";

export interface Range {
  from: number | null;
  to: number | null;
}

/** After this many live rounds the curve is read again, so that the points become stretches. */
const MOST_LIVE = 400;

export const tick = signal<RunTick | null>(null);
export const stretches = signal<readonly Stretch[]>([]);
export const every = signal(1);
/** The reason why the page waits; null if it does not wait. */
export const waiting = signal<string | null>(null);
export const isDeleted = signal(false);

let followed = "";
let range: Range = { from: null, to: null };
let source: EventSource | null = null;
let liveRounds = 0;
let reading: AbortController | null = null;

/** Follows a run instead of the run before. */
export function follow(id: string, next: Range): void {
  const isOther = id !== followed;
  if (!isOther && next.from === range.from && next.to === range.to) return;
  followed = id;
  range = next;
  if (isOther) {
    batch(() => {
      tick.value = null;
      stretches.value = [];
      isDeleted.value = false;
    });
    close();
  }
  void readCurve();
}

async function readCurve(): Promise<void> {
  reading?.abort();
  const own = new AbortController();
  reading = own;
  const query = new URLSearchParams();
  if (range.from !== null) query.set("from", String(range.from));
  if (range.to !== null) query.set("to", String(range.to));
  try {
    const curve = await call<Curve>("GET", `/runs/${encodeURIComponent(followed)}/curve?${query}`, undefined, own.signal);
    batch(() => {
      stretches.value = curve.stretches;
      every.value = curve.every;
      waiting.value = null;
    });
    liveRounds = 0;
    open();
  } catch (error) {
    if ((error as Error).name === "AbortError") return;
    waiting.value = (error as Error).message;
    setTimeout(() => own === reading && void readCurve(), RETRY_MS);
  }
}

function open(): void {
  if (source !== null || document.hidden || isOver()) return;
  const newest = stretches.peek().at(-1)?.round;
  const isWhole = range.to === null;
  const since = newest === undefined || !isWhole ? "" : `&since=${newest}`;
  source = new EventSource(`/events?run=${encodeURIComponent(followed)}${since}`);
  source.addEventListener("tick", ({ data }) => take(JSON.parse(data as string) as TickEvent));
  source.addEventListener("deleted", () => {
    isDeleted.value = true;
    close();
  });
  source.addEventListener("open", () => {
    waiting.value = null;
  });
  source.addEventListener("error", () => {
    waiting.value = "The connection is broken; this page opens it again by itself.";
    if (source?.readyState !== EventSource.CLOSED) return;
    // The gateway refused the stream, for example while the Workers start. The browser does not try again, so the page does.
    close();
    setTimeout(() => void readCurve(), RETRY_MS);
  });
}

function close(): void {
  source?.close();
  source = null;
}

const isOver = () => tick.peek()?.state === "done" || tick.peek()?.state === "failed";

function take({ losses = [], isBehind = false, ...changes }: TickEvent): void {
  const before = tick.peek();
  const next = { ...before, ...changes } as RunTick;
  const hasGoneBack = (next.round ?? 0) < (before?.round ?? 0);
  batch(() => {
    tick.value = next;
    if (losses.length > 0 && range.to === null) {
      const known = stretches.peek().at(-1)?.round ?? -1;
      const added = losses
        .filter(([round]) => round > known)
        .map(([round, loss]) => ({ round, low: loss, mean: loss, high: loss, at: Date.now() }));
      stretches.value = [...stretches.peek(), ...added];
      liveRounds += added.length;
    }
  });
  if (isOver()) close();
  if (isBehind || hasGoneBack || liveRounds > MOST_LIVE) void readCurve();
}

export function watchVisibility(): void {
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) close();
    else if (followed !== "") open();
  });
}
