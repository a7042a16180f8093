/** The local screen: the active model runs in the visitor's own tab. After it has loaded, no request leaves the tab. */
import { useState } from "preact/hooks";
import { Announcer } from "../../frame/announcer.tsx";
import { bytes, counted, decimal } from "../../frame/numbers.ts";
import { answer, ask, load, speed, state, stop, type State } from "./model.ts";

const MAX_TOKENS = 512;

function sentenceOf(current: State): string {
  switch (current.kind) {
    case "absent":
      return "The model is not loaded yet.";
    case "loading":
      return current.total === 0 ? "Loading…" : `Loading: ${bytes(current.done)} of ${bytes(current.total)}.`;
    case "ready":
      return "The model is in this tab. Nothing that you ask leaves it.";
    case "answering":
      return "The model answers in this tab.";
    case "failed":
      return `It did not work: ${current.reason}. Published models may be the operator’s alone: then sign in above and try again.`;
    default:
      return current satisfies never;
  }
}

function Loader({ current }: { current: State }) {
  return (
    <section class="panel" aria-label="The model">
      <Announcer text={sentenceOf(current)} />
      {current.kind === "loading" && <progress aria-label="Bytes of the model" max={Math.max(1, current.total)} value={current.done} />}
      {(current.kind === "absent" || current.kind === "failed") && (
        <div class="buttons">
          <button type="button" onClick={() => void load()}>
            Load the model into this tab
          </button>
        </div>
      )}
    </section>
  );
}

function Questions({ isAnswering }: { isAnswering: boolean }) {
  const [question, setQuestion] = useState("");
  const [temperature, setTemperature] = useState("0.7");
  const [length, setLength] = useState("64");
  const submit = (event: Event) => {
    event.preventDefault();
    void ask(question, Number(temperature), Number(length));
  };
  const { value } = speed;
  return (
    <>
      <form class="panel" onSubmit={submit}>
        <label>
          Question
          <textarea
            rows={3}
            required
            maxLength={4000}
            dir="auto"
            value={question}
            onInput={({ currentTarget }) => setQuestion(currentTarget.value)}
          />
        </label>
        <div class="controls">
          <label>
            Temperature
            <input
              type="number"
              min="0"
              max="2"
              step="0.1"
              value={temperature}
              onInput={({ currentTarget }) => setTemperature(currentTarget.value)}
            />
          </label>
          <label>
            Tokens at most
            <input type="number" min="1" max={MAX_TOKENS} value={length} onInput={({ currentTarget }) => setLength(currentTarget.value)} />
          </label>
        </div>
        <div class="buttons">
          <button type="submit" disabled={isAnswering}>
            Ask
          </button>
          {isAnswering && (
            <button type="button" class="quiet" onClick={stop}>
              Stop
            </button>
          )}
        </div>
      </form>
      <section class="panel answer" aria-label="Answer" aria-busy={isAnswering ? "true" : "false"}>
        <p class="text" dir="auto">
          {answer}
        </p>
        {value !== null && (
          <p class="speed">
            {counted(value.tokens, "token")} in {decimal(value.seconds, 2)} s: {decimal(value.tokens / Math.max(value.seconds, 0.001), 0)}{" "}
            tokens per second.
          </p>
        )}
      </section>
    </>
  );
}

export function Local() {
  const { value } = state;
  return (
    <>
      <h1>In your tab</h1>
      <p class="lede">
        The model that was grown here runs in this tab, by the same code as on the server. After it has loaded, no request leaves the tab:
        it answers without a network, too.
      </p>
      <Loader current={value} />
      {(value.kind === "ready" || value.kind === "answering") && <Questions isAnswering={value.kind === "answering"} />}
    </>
  );
}
