/** The pipeline as a tiffin carrier: five tins, how full each is, and what travels between them. For everyone. */
import { computed, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Overview } from "../../../../../shared/contracts/overview.ts";
import { Announcer } from "../../frame/announcer.tsx";
import { call } from "../../frame/api.ts";
import { percent } from "../../frame/numbers.ts";
import { poll } from "../../frame/polling.ts";
import { BLANK_TINS, storyOf, tinsOf, type Tin, type TinState } from "./tins.ts";

const EVERY_MS = 2000;

const overview = signal<Overview | null>(null);
const problem = signal<Error | null>(null);
/** Pages per second between the last two overviews. */
const rate = signal<number | null>(null);

const tins = computed(() => (overview.value === null ? BLANK_TINS : tinsOf(overview.value, rate.value, Date.now())));
const story = computed(() => (overview.value === null ? "Looking at the pipeline…" : storyOf(overview.value).now));

function rateBetween(before: Overview | null, after: Overview): number | null {
  const [first, last] = [before?.corpus?.crawl, after.corpus?.crawl];
  const seconds = before === null ? 0 : (Date.parse(after.checkedAt) - Date.parse(before.checkedAt)) / 1000;
  if (!first || !last || first.startedAt !== last.startedAt || seconds <= 0) return rate.peek();
  return (last.fetched - first.fetched) / seconds;
}

function watch(): void {
  const polled = poll(() => call<Overview>("GET", "/overview"), EVERY_MS);
  polled.value.subscribe((next) => {
    if (next === null) return;
    rate.value = rateBetween(overview.peek(), next);
    overview.value = next;
  });
  polled.error.subscribe((error) => {
    problem.value = error;
  });
}

const STATES: Readonly<Record<TinState, string>> = { working: "working", ready: "ready", empty: "empty", down: "down", unknown: "…" };

function Level({ fill }: { fill: number | null }) {
  const height = 100 * (fill ?? 0);
  return (
    <svg class="level" viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">
      <rect x="0" y={100 - height} width="100" height={height} />
    </svg>
  );
}

function TinCard({ tin }: { tin: Tin }) {
  const { key, title, does, state, main, unit, facts, fill, fillMeans } = tin;
  return (
    <li class={`tin ${state}`}>
      <article aria-labelledby={`tin-${key}`}>
        <Level fill={fill} />
        <header>
          <h2 id={`tin-${key}`}>{title}</h2>
          <span class={`state ${state}`}>{STATES[state]}</span>
        </header>
        <p class="main">
          <b>{main}</b> <span>{unit}</span>
        </p>
        <dl>
          {facts.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
        <p class="does">{does}</p>
        <p class="fill">
          {fill !== null && (
            <>
              <b>{percent(fill)}</b> {fillMeans}
            </>
          )}
        </p>
      </article>
      <p class="passes">
        {tin.passes !== "" && (
          <>
            <span aria-hidden="true">→</span> {tin.passes}
          </>
        )}
      </p>
    </li>
  );
}

export function Pipeline() {
  useEffect(watch, []);
  return (
    <>
      <h1>The pipeline</h1>
      <Announcer text={story.value} />
      {problem.value !== null && (
        <p class="notice" role="alert">
          {problem.value.message}
        </p>
      )}
      <ol class="carrier" aria-label="The five stages">
        {tins.value.map((tin) => (
          <TinCard key={tin.key} tin={tin} />
        ))}
      </ol>
    </>
  );
}
