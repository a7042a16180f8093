/** Asks one question in two situations and shows the probability of each answer side by side, in percent. */
import { signal } from "@preact/signals";
import { useRef } from "preact/hooks";
import type { Predictions } from "../../../../../shared/contracts/predict.ts";
import { parameter, setParameters } from "../../frame/address.ts";
import { call } from "../../frame/api.ts";
import { percent } from "../../frame/numbers.ts";
import { contextOf } from "../../frame/situation.ts";

interface Side {
  name: "a" | "b";
  situation: string;
  answers: Predictions["answers"];
}

const sides = signal<readonly Side[]>([]);
const problem = signal("");
const isBusy = signal(false);
/** Less probable answers are not shown. */
const LEAST_SHOWN = 0.005;

interface Situation {
  time: string;
  place: string;
}

const described = ({ time, place }: Situation) =>
  [time === "" ? "" : `time ${time}`, place === "" ? "" : `at the ${place}`].filter((part) => part !== "").join(", ") || "no situation";

async function predict(text: string, situations: readonly Situation[]): Promise<void> {
  isBusy.value = true;
  problem.value = "";
  try {
    const found = await Promise.all(
      situations.map((each) => call<Predictions>("POST", "/predict", { text, context: contextOf({ ...each }) })),
    );
    sides.value = found.map(({ answers }, index) => ({
      name: index === 0 ? "a" : "b",
      situation: described(situations[index]!),
      answers: answers.filter(({ raw }) => raw >= LEAST_SHOWN),
    }));
  } catch (error) {
    problem.value = (error as Error).message;
  }
  isBusy.value = false;
}

const FIRST: Situation = { time: "6", place: "gym" };
const SECOND: Situation = { time: "22", place: "party" };

function Inputs({ name, label, situation }: { name: string; label: string; situation: Situation }) {
  return (
    <fieldset>
      <legend>{label}</legend>
      <label>
        Hour
        <input name={`${name}-time`} defaultValue={situation.time} maxLength={20} />
      </label>
      <label>
        Place
        <input name={`${name}-place`} defaultValue={situation.place} maxLength={60} />
      </label>
    </fieldset>
  );
}

export function Situations() {
  const form = useRef<HTMLFormElement>(null);
  const submit = (event: Event) => {
    event.preventDefault();
    const fields = new FormData(form.current!);
    const of = (name: string) => String(fields.get(name) ?? "").trim();
    const text = of("question");
    setParameters({ s: text });
    void predict(text, [
      { time: of("a-time"), place: of("a-place") },
      { time: of("b-time"), place: of("b-place") },
    ]);
  };
  return (
    <section class="panel" aria-labelledby="situations">
      <h2 id="situations">One question, two situations</h2>
      <p>
        The same words can deserve another answer at another hour or place. Here are the answers that the model finds most probable in each.
      </p>
      <form ref={form} class="situations" onSubmit={submit}>
        <label class="wide">
          Question
          <input name="question" required maxLength={4000} defaultValue={parameter("s") ?? "I need songs"} />
        </label>
        <Inputs name="a" label="Here" situation={FIRST} />
        <Inputs name="b" label="And there" situation={SECOND} />
        <div class="wide">
          <button type="submit" disabled={isBusy.value}>
            Compare
          </button>
        </div>
      </form>
      {problem.value !== "" && (
        <p class="notice" role="alert">
          {problem}
        </p>
      )}
      <div class="sides">
        {sides.value.map(({ name, situation, answers }) => (
          <div key={name}>
            <h3>{situation}</h3>
            {answers.length === 0 ? (
              <p class="speed">No answer reaches half a percent.</p>
            ) : (
              <ul class="odds">
                {answers.map(({ text, raw }) => (
                  <li key={text}>
                    <span dir="auto">{text}</span> <b>{percent(raw)}</b>
                    <meter min="0" max="1" value={raw} aria-label={`${text}: ${percent(raw)}`} />
                  </li>
                ))}
              </ul>
            )}
          </div>
        ))}
      </div>
    </section>
  );
}
