/** What the chosen token looks at: as shaded words, as a table, and all heads as small pictures. */
import { setParameters } from "../../frame/address.ts";
import { percent } from "../../frame/numbers.ts";
import { Table } from "../../frame/table.tsx";
import { visible } from "../../frame/visible.ts";
import { chosenHead, choose, explanation, position, weights } from "./reading.ts";

const TABLE_ROWS = 12;

const nameOf = (at: number) => `“${visible(explanation.value?.tokens[at]?.text ?? "")}”`;
const largestOf = (values: readonly number[]) => values.reduce((best, value, key) => (value > values[best]! ? key : best), 0);

/** Who looks: the chosen head, or all heads. */
const looker = () => {
  const chosen = chosenHead.value;
  return chosen === null ? "All heads together" : `Layer ${chosen.layer + 1}, head ${chosen.head + 1}`;
};

/** “it” looks at “cat”, 82 %. */
export function looksAt(values: readonly number[]): string {
  const most = largestOf(values);
  const at = position.value;
  return `${nameOf(at)} looks most at ${most === at ? "itself" : nameOf(most)}, ${percent(values[most] ?? 0)}`;
}

export const attentionSentence = () => `${looker()}: ${looksAt(weights.value)}.`;

/** Moves the focus to the token before or after, so that a long text needs no hundred tabs. */
function onKeyDown(event: KeyboardEvent): void {
  const from = document.activeElement;
  const next = event.key === "ArrowRight" ? from?.nextElementSibling : event.key === "ArrowLeft" ? from?.previousElementSibling : null;
  if (!(next instanceof HTMLElement)) return;
  event.preventDefault();
  next.focus();
}

export function Words() {
  const { value } = explanation;
  if (value === null) return null;
  return (
    <fieldset class="tokens">
      <legend class="unseen">Tokens, to choose one</legend>
      {value.tokens.map(({ text, isControl }, at) => {
        const weight = weights.value[at];
        return (
          <button
            // oxlint-disable-next-line react/no-array-index-key -- a token has no name but its place
            key={at}
            type="button"
            class={`token looked${isControl ? " bytes" : ""}`}
            style={{ "--weight": String(weight ?? 0) }}
            aria-pressed={at === position.value ? "true" : "false"}
            onClick={() => choose(at)}
            onKeyDown={onKeyDown}
          >
            <span class="unseen">Token {at + 1}: </span>
            {visible(text) || "∅"}
            <small>{weight === undefined ? "later" : percent(weight)}</small>
          </button>
        );
      })}
    </fieldset>
  );
}

export function WeightTable() {
  const all = weights.value.map((weight, at) => ({ weight, at })).toSorted((a, b) => b.weight - a.weight);
  return (
    <details>
      <summary>
        <span id="weights">The weights as a table</span>
      </summary>
      <Table heading="weights" columns={["Place", "Token", "Weight"]}>
        {all.slice(0, TABLE_ROWS).map(({ weight, at }) => (
          <tr key={at}>
            <td>{at + 1}</td>
            <th scope="row" class="mono">
              {visible(explanation.value?.tokens[at]?.text ?? "")}
            </th>
            <td>{percent(weight)}</td>
          </tr>
        ))}
      </Table>
      {all.length > TABLE_ROWS && (
        <p class="speed">
          The {TABLE_ROWS} greatest of {all.length}.
        </p>
      )}
    </details>
  );
}

/** One bar per token, as high as its weight. */
function Picture({ values }: { values: readonly number[] }) {
  const bars = values.map((weight, at) => `M${at} 1V${(1 - weight).toFixed(3)}h.8V1z`).join("");
  return (
    <svg class="head-picture" viewBox={`0 0 ${values.length} 1`} preserveAspectRatio="none" aria-hidden="true">
      <path d={bars} />
    </svg>
  );
}

export function Heads() {
  const layers = explanation.value?.attention[0]?.weights ?? [];
  const chosen = chosenHead.value;
  return (
    <section class="panel" aria-labelledby="heads">
      <h2 id="heads">All heads, layer by layer</h2>
      <p class="speed">
        A bar for each token up to {nameOf(position.value)}, as high as the weight that the head gives it. Choose a head to see it alone.
      </p>
      {layers.map((heads, layer) => (
        // oxlint-disable-next-line react/no-array-index-key -- a layer has no name but its place
        <div key={layer} class="layer">
          <h3>Layer {layer + 1}</h3>
          <div class="heads">
            {heads.map((values, head) => {
              const isChosen = chosen?.layer === layer && chosen.head === head;
              return (
                <button
                  // oxlint-disable-next-line react/no-array-index-key -- a head has no name but its place
                  key={head}
                  type="button"
                  class="quiet head"
                  aria-pressed={isChosen ? "true" : "false"}
                  onClick={() => setParameters({ head: isChosen ? null : `${layer + 1}.${head + 1}` })}
                >
                  <Picture values={values} />
                  <span class="unseen">
                    Layer {layer + 1}, head {head + 1}: {looksAt(values)}
                  </span>
                  <span aria-hidden="true">{percent(Math.max(...values))}</span>
                </button>
              );
            })}
          </div>
        </div>
      ))}
    </section>
  );
}
