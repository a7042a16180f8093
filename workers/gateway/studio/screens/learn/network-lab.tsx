/**
 * A small network that learns in the browser: choose its layers and its activation, train it, and look at its units and weights
 * in a situation.
 */
import { useEffect } from "preact/hooks";
import { readAddress, setParameters } from "../../frame/address.ts";
import { Announcer } from "../../frame/announcer.tsx";
import { decimal, percent } from "../../frame/numbers.ts";
import { Table } from "../../frame/table.tsx";
import { CHOICES, chosen, isTraining, lab, LAST_STEP, restart, situation, toggle, watchChoices } from "./lab.ts";
import { NetworkDrawing } from "./network-drawing.tsx";
import { SONGS, taughtOf } from "./songs-network.ts";

const NAMES: Readonly<Record<string, string>> = {
  "4": "one of 4 units",
  "8": "one of 8 units",
  "6,6": "two of 6 units",
  none: "none",
  relu: "ReLU",
};

const Choice = ({ label, name }: { label: string; name: keyof typeof CHOICES }) => (
  <label>
    {label}
    <select value={chosen(name)} onChange={(event) => setParameters({ [name]: event.currentTarget.value })}>
      {CHOICES[name].map((choice) => (
        <option key={choice} value={choice}>
          {NAMES[choice] ?? choice}
        </option>
      ))}
    </select>
  </label>
);

function watch() {
  readAddress();
  return watchChoices();
}

export function NetworkLab() {
  useEffect(watch, []);
  const { network, steps, loss } = lab.value;
  const values = network.values(situation.value);
  const probabilities = values.at(-1)!;
  const taught = taughtOf(situation.value);
  const best = probabilities.indexOf(Math.max(...probabilities));
  const where = `${situation.value.part}, ${situation.value.place}`;
  return (
    <section class="panel" aria-labelledby="lab">
      <h2 id="lab">A network that fits on this page</h2>
      <p>
        It learns from twelve situations which songs fit. Each unit adds up its inputs, each times a weight, and applies its activation to
        the sum. Without hidden layers, the part of the day and the place can only be added; with them, one can change what the other means.
      </p>
      <div class="buttons">
        <Choice label="Hidden layers" name="hidden" />
        <Choice label="Activation" name="activation" />
        <Choice label="Part of the day" name="part" />
        <Choice label="Place" name="place" />
      </div>
      <div class="buttons">
        <button type="button" onClick={toggle} disabled={steps >= LAST_STEP}>
          {isTraining.value ? "Pause" : "Train"}
        </button>
        <button type="button" class="quiet" onClick={restart}>
          Start again
        </button>
      </div>
      <Announcer
        text={`After ${steps} steps (${where}): ${SONGS[best]} songs ${percent(probabilities[best]!)}, taught ${percent(taught[best]!)}.`}
      />
      <NetworkDrawing values={values} layers={network.layers} />
      <p>
        {loss === null ? "Not trained yet." : `Loss ${decimal(loss, 3)} nats.`} A full circle is a large value, a thick line a large weight;
        dashed lines are negative.
      </p>
      <Table heading="lab" columns={["Songs", "Share"]}>
        {SONGS.map((song, index) => (
          <tr key={song}>
            <th scope="row">{song}</th>
            <td>
              {percent(probabilities[index]!)}, taught {percent(taught[index]!)}
            </td>
          </tr>
        ))}
      </Table>
      {values.length > 2 && (
        <details>
          <summary>Values of the hidden units</summary>
          {values.slice(1, -1).map((units, layer) => (
            // oxlint-disable-next-line react/no-array-index-key -- a layer has no name but its place
            <p key={layer}>
              Layer {layer + 1}: {units.map((value) => decimal(value, 2)).join(", ")}
            </p>
          ))}
        </details>
      )}
    </section>
  );
}
