/** What the model expected: the alternatives to a token, the next token, and the prediction after each layer. */
import type { Predicted } from "../../../../../shared/contracts/explain.ts";
import { percent } from "../../frame/numbers.ts";
import { Table } from "../../frame/table.tsx";
import { visible } from "../../frame/visible.ts";
import { explanation, goOnWith, position } from "./reading.ts";

/** In percent. Small probabilities keep one digit that differs from 0. */
const odds = (probability: number) =>
  probability > 0 && probability < 0.005 ? `${Number((100 * probability).toPrecision(1))} %` : percent(probability);

/** Probable tokens at one place, each with a button that goes on from there with this token. */
function Choices({ at, predicted }: { at: number; predicted: readonly Predicted[] }) {
  return (
    <ul class="odds">
      {predicted.map(({ id, text, probability }) => {
        const goOn = goOnWith(at, text);
        return (
          <li key={id}>
            <span class="choice">
              <span class="mono token">{visible(text) || "∅"}</span>
              {goOn !== null && (
                <button type="button" class="quiet small" onClick={goOn}>
                  Go on with this one<span class="unseen">: {visible(text)}</span>
                </button>
              )}
            </span>
            <b>{odds(probability)}</b>
            <meter min="0" max="1" value={probability} aria-label={`${visible(text)}: ${odds(probability)}`} />
          </li>
        );
      })}
    </ul>
  );
}

/** The probability that the chosen token had, and what could have stood in its place. */
export function Expected() {
  const token = explanation.value?.tokens[position.value];
  if (token === undefined) return null;
  return (
    <section class="panel" aria-labelledby="expected">
      <h2 id="expected">
        In the place of <span class="mono token">{visible(token.text)}</span>
      </h2>
      {token.probability === null ? (
        <p>It is the first token, so nothing came before it from which to expect it.</p>
      ) : (
        <>
          <p>
            From what stood before, the model gave this token <b>{odds(token.probability)}</b>. It found these the most probable here:
          </p>
          <Choices at={position.value} predicted={token.alternatives} />
        </>
      )}
    </section>
  );
}

export function Next() {
  const { value } = explanation;
  if (value === null) return null;
  return (
    <section class="panel" aria-labelledby="next">
      <h2 id="next">After the last token</h2>
      <p>The model would go on like this:</p>
      <Choices at={value.tokens.length} predicted={value.next} />
    </section>
  );
}

export function Layers() {
  const { value } = explanation;
  if (value === null) return null;
  const columns = ["After layer", ...(value.layers[0] ?? []).map((_, index) => (index === 0 ? "Most probable" : `${index + 1}.`))];
  return (
    <section class="panel">
      <h2 id="layers">The prediction after each layer</h2>
      <p class="speed">
        What the model would say after <span class="mono token">{visible(value.tokens[position.value]?.text ?? "")}</span> if this layer
        were its last. The last row is what it says.
      </p>
      <Table heading="layers" columns={columns}>
        {value.layers.map((predicted, layer) => (
          // oxlint-disable-next-line react/no-array-index-key -- a layer has no name but its place
          <tr key={layer}>
            <th scope="row">{layer + 1}</th>
            {predicted.map(({ id, text, probability }) => (
              <td key={id}>
                <span class="mono token">{visible(text) || "∅"}</span> {odds(probability)}
              </td>
            ))}
          </tr>
        ))}
      </Table>
    </section>
  );
}
