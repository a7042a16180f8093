/** What sets the compared runs apart, and the tree of branches. */
import type { RunStatus } from "../../../../../shared/contracts/runs.ts";
import { bytes, count, decimal, duration, NONE } from "../../frame/numbers.ts";
import { Table } from "../../frame/table.tsx";
import { compared, runs } from "./compared.ts";

const shown = (value: number | null, format: (value: number) => string = count) => (value === null ? NONE : format(value));
const loss = (value: number | null) => shown(value, (each) => decimal(each, 3));

/** Settings and results of a run, by name. */
const ROWS: readonly (readonly [name: string, of: (run: RunStatus) => string])[] = [
  ["Size", ({ preset }) => preset ?? NONE],
  ["Branch of", ({ branchOf }) => branchOf ?? NONE],
  ["Parameters", ({ parameters }) => shown(parameters)],
  ["Vocabulary", ({ vocabSize }) => shown(vocabSize)],
  ["Shards", ({ shards }) => shown(shards)],
  ["Local steps in a round", ({ steps }) => shown(steps)],
  ["Tokens planned", ({ totalTokens }) => shown(totalTokens)],
  ["Tokens learned", ({ tokens }) => shown(tokens)],
  ["Validation loss", ({ valLoss }) => loss(valLoss)],
  ["Bits per byte", ({ bitsPerByte }) => loss(bitsPerByte)],
  ["Training time", ({ trainingSeconds }) => shown(trainingSeconds, duration)],
  ["Computing", ({ computeSeconds }) => shown(computeSeconds, duration)],
  ["Sent per round", ({ bytesPerRound }) => (bytesPerRound === null ? NONE : bytes(bytesPerRound.delta + bytesPerRound.inner))],
];

export function Differences({ current }: { current: string }) {
  const own = runs.value?.find(({ id }) => id === current);
  if (own === undefined || compared.value.length === 0) return null;
  const all = [own, ...compared.value.filter(({ id }) => id !== current)];
  const rows = ROWS.map(([name, of]) => ({ name, values: all.map((run) => ({ run: run.id, text: of(run) })) }));
  const different = rows.filter(({ values }) => values.some(({ text }) => text !== values[0]!.text));
  const equal = rows.filter((row) => !different.includes(row));
  return (
    <div class="panel">
      <h2 id="differences">What sets these runs apart</h2>
      <Table heading="differences" columns={["", ...all.map(({ id }) => id)]}>
        {different.map(({ name, values }) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            {values.map(({ run, text }) => (
              <td key={run}>{text}</td>
            ))}
          </tr>
        ))}
      </Table>
      {equal.length > 0 && <p class="speed">Equal: {equal.map(({ name, values }) => `${name} ${values[0]!.text}`).join(", ")}.</p>}
    </div>
  );
}

function Branch({ run, all }: { run: RunStatus; all: readonly RunStatus[] }) {
  const branches = all.filter(({ branchOf }) => branchOf === run.id);
  return (
    <li>
      <a href={`?run=${encodeURIComponent(run.id)}`}>{run.id}</a> <span class="speed">{loss(run.valLoss)}</span>
      {branches.length > 0 && (
        <ul>
          {branches.map((each) => (
            <Branch key={each.id} run={each} all={all} />
          ))}
        </ul>
      )}
    </li>
  );
}

/** The runs that others branched off, with their branches and validation losses. */
export function Tree() {
  const all = runs.value ?? [];
  const isThere = (id: string | null) => all.some((run) => run.id === id);
  const roots = all.filter((run) => !isThere(run.branchOf) && all.some(({ branchOf }) => branchOf === run.id));
  if (roots.length === 0) return null;
  return (
    <section class="panel" aria-labelledby="tree">
      <h2 id="tree">Branches</h2>
      <p class="speed">Each run below another one went on from its checkpoint. The number is the best validation loss.</p>
      <ul class="tree">
        {roots.map((run) => (
          <Branch key={run.id} run={run} all={all} />
        ))}
      </ul>
    </section>
  );
}
