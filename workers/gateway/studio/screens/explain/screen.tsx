/** The explain screen, for everyone: what the model looks at while it reads a text, and how it comes to its prediction. */
import { useSignalEffect } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { readAddress, setParameters } from "../../frame/address.ts";
import { Announcer } from "../../frame/announcer.tsx";
import { shortHash } from "../../frame/numbers.ts";
import { Problem } from "../../frame/problem.tsx";
import { attentionSentence, Heads, WeightTable, Words } from "./attention.tsx";
import type { Text } from "./continuation.ts";
import { Expected, Layers, Next } from "./predictions.tsx";
import { chosenHead, EXAMPLE, explanation, isReading, problem, read, readFromAddress, textInAddress } from "./reading.ts";

const BLANK: Text = { form: "text", text: EXAMPLE, answer: "", time: "", place: "" };
const FORMS: Readonly<Record<Text["form"], string>> = {
  text: "A text, as in training",
  question: "A question, as the Playground asks it",
};
const FORM_NAMES = Object.keys(FORMS) as Text["form"][];

function Form() {
  const [asked, setAsked] = useState(BLANK);
  const set = (changes: Partial<Text>) => setAsked((known) => ({ ...known, ...changes }));
  const takeAddress = () => {
    const known = textInAddress();
    if (known.text !== "") setAsked(known);
  };
  useEffect(() => {
    readAddress();
    takeAddress();
    readFromAddress();
    // The back button returns to the address of an earlier text.
    addEventListener("popstate", readFromAddress);
  }, []);
  // Going on with a token changes the address, and the form follows.
  useSignalEffect(() => {
    if (explanation.value !== null) takeAddress();
  });
  const field = (name: "answer" | "time" | "place", label: string, hint: string) => (
    <label>
      {label}
      <input
        value={asked[name]}
        maxLength={name === "answer" ? 1000 : 60}
        placeholder={hint}
        onInput={({ currentTarget }) => set({ [name]: currentTarget.value })}
      />
    </label>
  );
  return (
    <form
      class="panel"
      onSubmit={(event) => {
        event.preventDefault();
        read(asked);
      }}
    >
      <fieldset class="modes">
        <legend class="unseen">What the text is</legend>
        {FORM_NAMES.map((form) => (
          <label key={form} class="mode">
            <input type="radio" name="form" checked={asked.form === form} onChange={() => set({ form })} /> {FORMS[form]}
          </label>
        ))}
      </fieldset>
      <label>
        Text to read
        <textarea
          rows={2}
          required
          maxLength={4000}
          dir="auto"
          value={asked.text}
          onInput={({ currentTarget }) => set({ text: currentTarget.value })}
        />
      </label>
      {asked.form === "question" && (
        <div class="controls">
          {field("time", "Hour", "6, 22:30, …")}
          {field("place", "Place", "gym, party, …")}
          {field("answer", "Beginning of an answer", "none")}
        </div>
      )}
      <div class="buttons">
        <button type="submit" disabled={isReading.value}>
          Explain
        </button>
        <span class="speed">{isReading.value ? "Reading…" : "The model reads it once and shows what it does."}</span>
      </div>
    </form>
  );
}

function Reading() {
  const { value } = explanation;
  if (value === null) return null;
  return (
    <>
      <section class="panel" aria-labelledby="looks">
        <h2 id="looks">What it looks at</h2>
        <Announcer text={attentionSentence()} />
        <Words />
        <p class="speed">
          Choose a token, also with the arrow keys. The percent below each token say how much of its attention the chosen one gives it; a
          model never looks at later ones.
        </p>
        {chosenHead.value !== null && (
          <div class="buttons">
            <button type="button" class="quiet small" onClick={() => setParameters({ head: null })}>
              All heads together
            </button>
          </div>
        )}
        <WeightTable />
      </section>
      <div class="sides">
        <Expected />
        <Next />
      </div>
      <Layers />
      <Heads />
      <p class="speed">
        Read by model <code>{shortHash(value.model)}</code>. Attention shows where information flows, not why: a head may look at a token
        and make nothing of it.
      </p>
    </>
  );
}

export function Explain() {
  return (
    <>
      <h1>Explain</h1>
      <p class="lede">Give the model a sentence and see what each token looks at, and how the next one comes about.</p>
      <Form />
      <Problem text={problem.value} />
      <Reading />
    </>
  );
}
