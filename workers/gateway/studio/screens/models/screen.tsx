/**
 * The models screen. Everyone sees the active model. The operator also sees all published models, exports them, and chooses the
 * active one.
 */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Model } from "../../../../../shared/contracts/models.ts";
import { call, send } from "../../frame/api.ts";
import { Confirm } from "../../frame/confirm.tsx";
import { Facts } from "../../frame/facts.tsx";
import { ForOperator } from "../../frame/for-operator.tsx";
import { ago, decimal, NONE, shortHash } from "../../frame/numbers.ts";
import { overview, overviewProblem, watchOverview } from "../../frame/overview.ts";
import { Table } from "../../frame/table.tsx";
import { poll, type Polled } from "../../frame/polling.ts";
import { Problem } from "../../frame/problem.tsx";

const EVERY_MS = 10_000;
const EXPORTS = [
  ["hf", "Hugging Face"],
  ["gguf", "GGUF"],
  ["onnx", "ONNX"],
] as const;

const models = signal<readonly Model[] | null>(null);
const problem = signal("");
let polled: Polled<Model[]> | null = null;

function watch(): void {
  polled = poll(() => call<Model[]>("GET", "/models"), EVERY_MS);
  polled.value.subscribe((value) => {
    if (value !== null) models.value = value;
  });
  polled.error.subscribe((error) => {
    problem.value = error?.message ?? "";
  });
}

const lossOf = ({ valLoss }: Pick<Model, "valLoss">) => (valLoss === null ? NONE : decimal(valLoss, 3));

function Active() {
  const { value } = overview;
  if (value === null)
    return (
      <section class="panel kept-free">
        <h2>Looking for the active model…</h2>
      </section>
    );
  const active = value.training?.active ?? null;
  if (active === null)
    return (
      <section class="panel">
        <h2>No model answers yet</h2>
        <p>
          A run publishes its best checkpoint when it is done. <a href="/studio/training">Go to training</a>
        </p>
      </section>
    );
  const run = [value.training?.run, value.training?.pretraining].find((each) => each?.id === active.run) ?? null;
  return (
    <section class="panel" aria-labelledby="active">
      <h2 id="active">
        Answering now: <span class="mono">{shortHash(active.model)}</span>
      </h2>
      <Facts
        facts={[
          ["Validation loss", lossOf(active)],
          ["Parameters", run?.parameters?.toLocaleString("en") ?? NONE],
          ["Published", ago(active.publishedAt)],
          [
            "From run",
            <a key="run" href={`/studio/training?run=${encodeURIComponent(active.run)}`}>
              {active.run}
            </a>,
          ],
        ]}
      />
      <p>
        <a class="button" href="/studio/playground">
          Ask it
        </a>
      </p>
    </section>
  );
}

/** The active model of the same kind. */
function Before({ all, model }: { all: readonly Model[]; model: Model }) {
  const before = all.find(({ active, kind }) => active && kind === model.kind);
  return before === undefined ? <>another one</> : <code>{shortHash(before.model)}</code>;
}

function Published() {
  useEffect(watch, []);
  const all = (models.value ?? []).toSorted((a, b) => (a.publishedAt < b.publishedAt ? 1 : -1));
  return (
    <div class="panel">
      <h2 id="published">Published models</h2>
      <Problem text={problem.value} />
      {models.value !== null && all.length === 0 && <p>None yet.</p>}
      {all.length > 0 && (
        <Table heading="published" columns={["Model", "Validation loss", "Run", "Published", "Take out", "Answers"]}>
          {all.map((model) => (
            <tr key={model.model}>
              <th scope="row">
                <span class="mono">{shortHash(model.model)}</span> {model.kind === "language" ? "" : model.kind}
              </th>
              <td>{lossOf(model)}</td>
              <td>
                <a href={`/studio/training?run=${encodeURIComponent(model.run)}`}>{model.run}</a>
              </td>
              <td>{ago(model.publishedAt)}</td>
              <td class="exports">
                {(model.kind === "classifier" ? [] : EXPORTS).map(([format, name]) => (
                  <a key={format} href={`/models/${model.model}/export?format=${format}`} download>
                    {name}
                  </a>
                ))}
              </td>
              <td>
                {model.active ? (
                  <b>now</b>
                ) : (
                  <Confirm
                    label="Activate"
                    act={async () => {
                      await send("POST", `/models/${model.model}/activate`);
                      polled?.refresh();
                    }}
                  >
                    <p>
                      Model <code>{shortHash(model.model)}</code> answers from now on, within a second or so everywhere. To go back,
                      activate <Before all={all} model={model} /> in the same way.
                    </p>
                  </Confirm>
                )}
              </td>
            </tr>
          ))}
        </Table>
      )}
    </div>
  );
}

export function Models() {
  useEffect(watchOverview, []);
  return (
    <>
      <h1>Models</h1>
      <Problem text={overviewProblem.value?.message ?? ""} />
      <Active />
      <ForOperator what="The list of models, taking them out and choosing which one answers are the operator’s.">
        <Published />
      </ForOperator>
    </>
  );
}
