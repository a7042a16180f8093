/** The curve of the watched run with its controls. The same data is also shown as a sentence and as a table. */
import { computed, signal } from "@preact/signals";
import type { RunStatus } from "../../../../../shared/contracts/runs.ts";
import { Chart, type ChartPoint } from "../../chart/chart.tsx";
import { parameter, setParameters } from "../../frame/address.ts";
import { count, counted, decimal, duration } from "../../frame/numbers.ts";
import { compared, curveOf } from "./compared.ts";
import { every, stretches, tick } from "./live-run.ts";

const AXES = ["round", "tokens", "time"] as const;
const TABLE_ROWS = 12;

const cursor = signal<number | null>(null);
const axis = computed(() => AXES.find((name) => name === parameter("by")) ?? "round");
const smoothing = computed(() => Math.min(0.99, Math.max(0, Number(parameter("smooth") ?? "0") || 0)));
/** Rounds begin at 0, and a logarithmic axis cannot show 0. So the axis counts rounds from 1. */
const roundShown = (round: number) => round + 1;

const tokensPerRound = computed(() => {
  const { tokens, round } = tick.value ?? {};
  return tokens && round ? tokens / round : 1;
});

const xOf = computed(() => {
  const [kind, perRound, start] = [axis.value, tokensPerRound.value, stretches.value[0]?.at ?? 0];
  return (round: number, at: number) =>
    kind === "tokens" ? roundShown(round) * perRound : kind === "time" ? (at - start) / 1000 : roundShown(round);
});

const points = computed(() =>
  stretches.value.map(({ round, low, mean, high, at }): ChartPoint => ({ x: Math.max(1, xOf.value(round, at)), low, mean, high })),
);

const formatX = (value: number) => (axis.value === "time" ? duration(value) : count(value));

/** The means of the compared runs across the same axis. */
const others = computed(() =>
  compared.value
    .filter(({ id }) => id !== tick.value?.id)
    .map(({ id, tokens, round }) => {
      const all = curveOf(id);
      const perRound = tokens && round ? tokens / round : 1;
      const start = all[0]?.at ?? 0;
      const x = (at: number, each: number) =>
        axis.value === "tokens" ? roundShown(each) * perRound : axis.value === "time" ? (at - start) / 1000 : roundShown(each);
      return { label: id, points: all.map((each) => ({ x: Math.max(1, x(each.at, each.round)), y: each.mean })) };
    }),
);

/** The first stretch whose mean loss is below the loss of the model that only counts tokens. */
const crossing = computed(() => {
  const line = tick.value?.trigramLoss ?? null;
  return line === null ? undefined : stretches.value.find(({ mean }) => mean < line);
});

function Toggle({ name, label }: { name: string; label: string }) {
  const isOn = parameter(name) === "log";
  return (
    <button
      type="button"
      class="quiet small"
      aria-pressed={isOn ? "true" : "false"}
      onClick={() => setParameters({ [name]: isOn ? null : "log" })}
    >
      {label}
    </button>
  );
}

function zoom(from: number, to: number): void {
  setParameters({ from: String(Math.max(0, Math.round(from))), to: String(Math.round(to)) }, true);
}

function Controls() {
  const last = stretches.value.length - 1;
  const at = cursor.value ?? last;
  const [first, end] = [stretches.value[0]?.round ?? 0, stretches.value.at(-1)?.round ?? 0];
  const closer = () => {
    const [middle, quarter] = [stretches.value[at]?.round ?? 0, Math.max(4, (end - first) / 4)];
    zoom(middle - quarter, middle + quarter);
  };
  return (
    <div class="controls">
      <label>
        Across
        <select
          value={axis.value}
          onChange={({ currentTarget }) => setParameters({ by: currentTarget.value === "round" ? null : currentTarget.value })}
        >
          <option value="round">rounds</option>
          <option value="tokens">tokens</option>
          <option value="time">time</option>
        </select>
      </label>
      <label>
        Smoothing
        <input
          type="range"
          min="0"
          max="0.98"
          step="0.02"
          value={smoothing.value}
          onInput={({ currentTarget }) => setParameters({ smooth: currentTarget.value === "0" ? null : currentTarget.value })}
        />
      </label>
      <label>
        Point
        <input
          type="range"
          min="0"
          max={Math.max(0, last)}
          value={at}
          onInput={({ currentTarget }) => {
            cursor.value = Number(currentTarget.value);
          }}
        />
      </label>
      <div class="buttons">
        <Toggle name="x" label="log x" />
        <Toggle name="y" label="log y" />
        <button type="button" class="quiet small" onClick={closer}>
          Zoom in
        </button>
        {parameter("from") !== null && (
          <button type="button" class="quiet small" onClick={() => setParameters({ from: null, to: null }, true)}>
            Whole run
          </button>
        )}
      </div>
    </div>
  );
}

function Readout() {
  const index = cursor.value ?? stretches.value.length - 1;
  const stretch = stretches.value[index];
  if (stretch === undefined) return null;
  const { round, low, mean, high } = stretch;
  const hidden = high - low < 1e-9 ? "" : ` (from ${decimal(low, 3)} to ${decimal(high, 3)} in ${counted(every.value, "round")})`;
  return (
    <p class="readout">
      Round {count(roundShown(round))}: loss <b>{decimal(mean, 3)}</b>
      {hidden}
    </p>
  );
}

function Table() {
  const all = stretches.value;
  const step = Math.max(1, Math.ceil(all.length / TABLE_ROWS));
  const rows = all.filter((_, index) => index % step === 0 || index === all.length - 1);
  return (
    <details>
      <summary>The curve as a table</summary>
      <table>
        <thead>
          <tr>
            <th scope="col">Round</th>
            <th scope="col">Least</th>
            <th scope="col">Mean</th>
            <th scope="col">Greatest</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ round, low, mean, high }) => (
            <tr key={round}>
              <td>{count(roundShown(round))}</td>
              <td>{decimal(low, 3)}</td>
              <td>{decimal(mean, 3)}</td>
              <td>{decimal(high, 3)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}

export function Curve({ status }: { status: RunStatus | null }) {
  const run = tick.value;
  if (points.value.length === 0) return <p class="nothing-yet">No round is committed yet. The curve begins with the first.</p>;
  const first = stretches.value[0]!;
  const last = stretches.value.at(-1)!;
  const inRange = (round: number) => round >= first.round && round <= last.round + 1;
  const atOf = (round: number) => stretches.value.find((stretch) => stretch.round >= round)?.at ?? last.at;
  const lines = [
    ...(run?.unigramLoss ? [{ y: run.unigramLoss, label: `counts tokens: ${decimal(run.unigramLoss, 2)}` }] : []),
    ...(run?.trigramLoss ? [{ y: run.trigramLoss, label: `counts tokens in threes: ${decimal(run.trigramLoss, 2)}` }] : []),
  ];
  const dots = (status?.evaluations ?? [])
    .filter(({ round }) => inRange(round))
    .map(({ round, valLoss }) => ({ x: Math.max(1, xOf.value(Math.max(0, round - 1), atOf(round - 1))), y: valLoss }));
  const marks = [
    ...(crossing.value === undefined
      ? []
      : [{ x: Math.max(1, xOf.value(crossing.value.round, crossing.value.at)), label: "better than counting" }]),
    ...(status?.rollbacks ?? [])
      .filter(({ toRound }) => inRange(toRound))
      .map(({ toRound }) => ({ x: Math.max(1, xOf.value(toRound, atOf(toRound))), label: "went back here" })),
  ];
  const describe = `Training loss from ${decimal(first.mean, 2)} at round ${roundShown(first.round)} to ${decimal(last.mean, 2)} at round ${roundShown(last.round)}.`;
  return (
    <section class="panel" aria-label="Loss curve">
      <Chart
        points={points.value}
        lines={lines}
        others={others.value}
        dots={dots}
        marks={marks}
        isLogX={parameter("x") === "log"}
        isLogY={parameter("y") === "log"}
        smoothing={smoothing.value}
        describe={describe}
        formatX={formatX}
        cursor={cursor.value}
        onCursor={(index) => {
          cursor.value = index;
        }}
        onZoom={(from, to) => {
          const rounds = stretches.value.filter(({ round, at }) => xOf.value(round, at) >= from && xOf.value(round, at) <= to);
          if (rounds.length > 1) zoom(rounds[0]!.round, rounds.at(-1)!.round);
        }}
      />
      <Readout />
      <Controls />
      <p class="legend">
        <span class="key mean">training loss</span> <span class="key band">least to greatest</span>{" "}
        <span class="key dot">validation loss</span>
        {others.value.map(({ label }, index) => (
          <span key={label} class={`key other-${index + 1}`}>
            {label}
          </span>
        ))}
      </p>
      <Table />
    </section>
  );
}
