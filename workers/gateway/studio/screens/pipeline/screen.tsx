/**
 * The pipeline screen, for everyone. It draws the pipeline as a tiffin carrier: five tins (stages), how full each is, and what
 * each passes to the next.
 */
import { computed } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Announcer } from "../../frame/announcer.tsx";
import { Facts } from "../../frame/facts.tsx";
import { percent } from "../../frame/numbers.ts";
import { overview, overviewProblem, previous, watchOverview } from "../../frame/overview.ts";
import { Problem } from "../../frame/problem.tsx";
import { BLANK_TINS, crawlRate, storyOf, tinsOf, type Tin, type TinState } from "./tins.ts";

const rate = computed(() => crawlRate(previous.value, overview.value));
const tins = computed(() => (overview.value === null ? BLANK_TINS : tinsOf(overview.value, rate.value, Date.now())));
const story = computed(() => (overview.value === null ? { now: "Looking at the pipeline…", next: null } : storyOf(overview.value)));

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
  const { key, title, does, state, main, unit, facts, fill, fillMeans, passes, link } = tin;
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
        <Facts facts={facts} isPanel={false} />
        <p class="does">{does}</p>
        <p class="fill">
          {fill !== null && (
            <>
              <b>{percent(fill)}</b> {fillMeans}
            </>
          )}
        </p>
        <p class="more">
          <a href={link.href}>{link.text}</a>
        </p>
      </article>
      <p class="passes">
        {passes !== "" && (
          <>
            <span aria-hidden="true">→</span> {passes}
          </>
        )}
      </p>
    </li>
  );
}

export function Pipeline() {
  useEffect(watchOverview, []);
  const { now, next } = story.value;
  return (
    <>
      <h1>The pipeline</h1>
      <Announcer text={now} />
      <p class="next">{next !== null && <a href={next.href}>{next.text}</a>}</p>
      <Problem text={overviewProblem.value?.message ?? ""} />
      <ol class="carrier" aria-label="The five stages">
        {tins.value.map((tin) => (
          <TinCard key={tin.key} tin={tin} />
        ))}
      </ol>
    </>
  );
}
