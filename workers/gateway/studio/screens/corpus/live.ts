/**
 * The sources and crawls, kept up to date: read now and again, and for the newest running crawl by the gateway's events. A hidden
 * tab closes its stream of events.
 */
import { computed, effect, signal } from "@preact/signals";
import type { Crawl, Source } from "../../../../../shared/contracts/sources.ts";
import { call } from "../../frame/api.ts";
import { poll, type Polled } from "../../frame/polling.ts";

const EVERY_MS = 10_000;

export const sources = signal<readonly Source[] | null>(null);
const read = signal<readonly Crawl[]>([]);
export const problem = signal("");
/** What the events have changed in the followed crawl. */
const changes = signal<Partial<Crawl> | null>(null);
const isVisible = signal(true);

/** Newest first. */
export const crawls = computed((): readonly Crawl[] =>
  read.value.map((crawl) => (crawl.id === changes.value?.id ? { ...crawl, ...changes.value } : crawl)),
);

/** Changes when a crawl ends. */
export const ended = computed(() =>
  crawls.value
    .filter(({ state }) => state === "done")
    .map(({ id }) => id)
    .join(),
);

const followed = computed(() => (isVisible.value ? (read.value.find(({ state }) => state === "running")?.id ?? null) : null));

let polled: Polled<[Source[], Crawl[]]> | null = null;
export const refresh = () => polled?.refresh();

export function watch(): void {
  polled = poll(() => Promise.all([call<Source[]>("GET", "/sources"), call<Crawl[]>("GET", "/crawls")]), EVERY_MS);
  polled.value.subscribe((value) => {
    if (value !== null) [sources.value, read.value] = value;
  });
  polled.error.subscribe((error) => {
    problem.value = error?.message ?? "";
  });
  document.addEventListener("visibilitychange", () => {
    isVisible.value = !document.hidden;
  });
  effect(() => {
    const id = followed.value;
    if (id === null) return undefined;
    const source = new EventSource(`/events?crawl=${encodeURIComponent(id)}`);
    source.addEventListener("crawl", ({ data }) => {
      changes.value = { ...changes.peek(), id, ...(JSON.parse(data as string) as Partial<Crawl>) };
      if (changes.value.state !== "done") return;
      source.close();
      refresh();
    });
    return () => source.close();
  });
}
