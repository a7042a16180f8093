/** The training screen: one live run with its curve, the operator's actions on it, and the list of all runs. */
import { signal, useSignalEffect } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { RunStatus, RunTick } from "../../../../../shared/contracts/runs.ts";
import { parameter, readAddress } from "../../frame/address.ts";
import { Announcer } from "../../frame/announcer.tsx";
import { call } from "../../frame/api.ts";
import { Facts, type Fact } from "../../frame/facts.tsx";
import { ForOperator } from "../../frame/for-operator.tsx";
import { bytes, count, decimal, duration, NONE, percent } from "../../frame/numbers.ts";
import { StepLink } from "../../frame/step-link.tsx";
import { Table } from "../../frame/table.tsx";
import { poll, type Polled } from "../../frame/polling.ts";
import { session } from "../../frame/session.tsx";
import { Actions, StartRun } from "./actions.tsx";
import { canCompareMore, isCompared, runs, toggleCompared, watchCompared } from "./compared.ts";
import { Differences, Tree } from "./comparison.tsx";
import { Curve } from "./curve.tsx";
import { follow, isDeleted, tick, waiting, watchVisibility } from "./live-run.ts";

const RUNS_EVERY_MS = 10_000;
const STATUS_EVERY_MS = 5000;

const status = signal<RunStatus | null>(null);
let polledRuns: Polled<RunStatus[]> | null = null;
let polledStatus: Polled<RunStatus | null> | null = null;

/** The run in the page's address, otherwise the newest run. */
const chosen = () => parameter("run") ?? runs.value?.at(-1)?.id ?? null;

function watch(): void {
  polledRuns = poll(() => call<RunStatus[]>("GET", "/runs"), RUNS_EVERY_MS);
  polledRuns.value.subscribe((value) => {
    if (value === null) return;
    const isFirst = runs.peek() === null;
    runs.value = value;
    // The status was read before the newest run was known, so it is read again.
    if (isFirst) polledStatus?.refresh();
  });
  polledStatus = poll(async () => {
    const id = chosen();
    return id === null ? null : call<RunStatus>("GET", `/runs/${encodeURIComponent(id)}`);
  }, STATUS_EVERY_MS);
  polledStatus.value.subscribe((value) => {
    status.value = value;
  });
  watchVisibility();
  watchCompared();
}

const refresh = () => {
  polledRuns?.refresh();
  polledStatus?.refresh();
};

function sentenceOf(run: RunTick): string {
  const { state, round, rounds, tokensPerSecond, secondsLeft, progress, loss, trigramLoss } = run;
  switch (state) {
    case "preparing":
      return `Preparing: ${progress.stage}, ${progress.total > 0 ? percent(progress.done / progress.total) : "just begun"}.`;
    case "training": {
      const speed = tokensPerSecond === null ? "" : ` at ${count(tokensPerSecond)} tokens/s`;
      const left = secondsLeft === null ? "" : `, ${duration(secondsLeft)} left`;
      const crossed =
        loss !== null && trigramLoss !== null && loss < trigramLoss ? " It predicts better than a model that counts tokens in threes." : "";
      return `Round ${count(round ?? 0)} of ${count(rounds ?? 0)}${speed}${left}.${crossed}`;
    }
    case "evaluating":
      return "Measuring the model on text that it has not seen.";
    case "paused":
      return "Paused. No tasks are given out until the run is resumed.";
    case "done":
      return endOf(run);
    case "failed":
      return "Failed.";
    default:
      return state satisfies never;
  }
}

function endOf({ valLoss, trigramLoss, unigramLoss }: RunTick): string {
  if (valLoss === null) return "Done.";
  const line = trigramLoss ?? unigramLoss;
  if (line === null) return `Done. The best validation loss is ${decimal(valLoss, 3)} nats per answer.`;
  return `Done. The best validation loss is ${decimal(valLoss, 3)}, ${valLoss < line ? "below" : "above"} the ${decimal(line, 3)} of a model that only counts.`;
}

function RunFacts({ run, full }: { run: RunTick; full: RunStatus | null }) {
  const facts: Fact[] = [
    ["Training loss", run.loss === null ? NONE : decimal(run.loss, 3)],
    ["Validation loss, best", run.valLoss === null ? NONE : decimal(run.valLoss, 3)],
    ["Bits per byte", full?.bitsPerByte ? decimal(full.bitsPerByte, 3) : NONE],
    ["Tokens", run.tokens === null ? NONE : `${count(run.tokens)} of ${count(run.totalTokens ?? 0)}`],
    ["Parameters", run.parameters === null ? NONE : count(run.parameters)],
    ["Shards done, this round", run.shards === null ? NONE : `${run.finished ?? 0} of ${run.shards}`],
    ["Trainers at work", count(run.trainers)],
    ["Training time", full?.trainingSeconds ? duration(full.trainingSeconds) : NONE],
    ["Computing, all trainers", full?.computeSeconds ? duration(full.computeSeconds) : NONE],
    ["Cost on Cloudflare, about", full?.cents === null || full === null ? NONE : `${decimal(full.cents, 2)} US cents`],
    ["Sent per round", full?.bytesPerRound ? bytes(full.bytesPerRound.delta + full.bytesPerRound.inner) : NONE],
  ];
  return <Facts facts={facts} />;
}

function Runs({ current }: { current: string | null }) {
  return (
    <div class="panel">
      <h2 id="runs">All runs</h2>
      <Table heading="runs" columns={["Run", "State", "Size", "Tokens", "Validation loss", "Time", "Compare"]}>
        {(runs.value ?? []).toReversed().map((run) => (
          <tr key={run.id}>
            <th scope="row">
              <StepLink changes={{ run: run.id, from: null, to: null }} isCurrent={run.id === current} onStep={refresh}>
                {run.id}
              </StepLink>
            </th>
            <td>{run.state}</td>
            <td>{run.preset ?? NONE}</td>
            <td>{run.tokens === null ? NONE : count(run.tokens)}</td>
            <td>{run.valLoss === null ? NONE : decimal(run.valLoss, 3)}</td>
            <td>{run.trainingSeconds === null ? NONE : duration(run.trainingSeconds)}</td>
            <td>
              {run.id !== current && (
                <input
                  type="checkbox"
                  class="tick-box"
                  aria-label={`Compare ${run.id}`}
                  checked={isCompared(run.id)}
                  disabled={!isCompared(run.id) && !canCompareMore()}
                  onChange={() => toggleCompared(run.id)}
                />
              )}
            </td>
          </tr>
        ))}
      </Table>
    </div>
  );
}

const roundOf = (name: string) => {
  const value = parameter(name);
  return value === null || !/^\d{1,9}$/.test(value) ? null : Number(value);
};

function Watched() {
  useEffect(() => {
    readAddress();
    watch();
  }, []);
  useSignalEffect(() => {
    const id = chosen();
    if (id !== null) follow(id, { from: roundOf("from"), to: roundOf("to") });
  });
  const id = chosen();
  const run = tick.value;
  if (runs.value === null) return <p class="lede">Looking for runs…</p>;
  if (id === null)
    return (
      <section class="panel">
        <h2>No run yet</h2>
        <p>
          A run needs text: collect some pages first, with <code>npm start</code>. Then the operator starts a run here.
        </p>
        {session.value?.operator === true && <StartRun onChange={refresh} />}
      </section>
    );
  return (
    <>
      {run !== null && !isDeleted.value && (
        <>
          <h2 class="run-name mono">{run.id}</h2>
          <Announcer text={sentenceOf(run)} />
        </>
      )}
      {isDeleted.value && <p class="notice">This run was deleted. Choose another one below.</p>}
      {waiting.value !== null && (
        <p class="notice" role="alert">
          {waiting.value}
        </p>
      )}
      {status.value?.error && <p class="notice">{status.value.error}</p>}
      {run !== null && !isDeleted.value && (
        <>
          <Curve status={status.value?.id === run.id ? status.value : null} />
          <RunFacts run={run} full={status.value?.id === run.id ? status.value : null} />
          {session.value?.operator === true && (
            <div class="buttons spaced">
              <StartRun onChange={refresh} />
              <Actions run={run} onChange={refresh} />
            </div>
          )}
        </>
      )}
      <Differences current={id} />
      <Runs current={id} />
      <Tree />
    </>
  );
}

export function Training() {
  return (
    <>
      <h1>Training</h1>
      <ForOperator
        what="Curves, leases and costs of runs, and starting and stopping them, are the operator’s."
        mayLook={({ training }) => training}
      >
        <Watched />
      </ForOperator>
      {session.value === null && <div class="reserve" />}
    </>
  );
}
