/**
 * The playground screen: ask the active model, watch the answer, vote, and compare the answers to one question in two situations.
 */
import { useEffect, useRef, useState } from "preact/hooks";
import { readAddress } from "../../frame/address.ts";
import { AnswerPanel } from "./answer.tsx";
import { ask, DEFAULTS, MODES, questionInAddress, shown, type Mode, type Question } from "./conversation.ts";
import { Situations } from "./situations.tsx";

const MODE_NAMES: Readonly<Record<Mode, string>> = {
  ask: "Ask: one answer, as it is made",
  continue: "Continue: the model goes on with your text",
  compare: "Compare: three candidates side by side",
};
const EXAMPLES = ["I need songs", "I want filter coffee", "How do I install this package?"];

const BLANK: Question = { mode: "ask", text: "", time: "", place: "", topic: "", ...DEFAULTS };

export function Playground() {
  const [question, setQuestion] = useState(BLANK);
  const box = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    readAddress();
    setQuestion(questionInAddress());
  }, []);
  const set = (changes: Partial<Question>) => setQuestion((known) => ({ ...known, ...changes }));
  const field = (name: "time" | "place" | "topic", label: string, hint: string) => (
    <label>
      {label}
      <input
        value={question[name]}
        maxLength={60}
        placeholder={hint}
        onInput={({ currentTarget }) => set({ [name]: currentTarget.value })}
      />
    </label>
  );
  const submit = (event: Event) => {
    event.preventDefault();
    void ask(question);
  };
  const { mode, text, temperature, length } = question;
  return (
    <>
      <h1>Playground</h1>
      <p class="lede">Talk to the model that was grown here. It is small: it knows its lessons and the style of what it read.</p>
      <form class="panel" onSubmit={submit}>
        <fieldset class="modes">
          <legend class="unseen">What to do</legend>
          {MODES.map((each) => (
            <label key={each} class="mode">
              <input type="radio" name="mode" checked={mode === each} onChange={() => set({ mode: each })} /> {MODE_NAMES[each]}
            </label>
          ))}
        </fieldset>
        <label>
          {mode === "continue" ? "Beginning of a text" : "Question"}
          <textarea
            ref={box}
            rows={3}
            required
            maxLength={4000}
            dir="auto"
            value={text}
            onInput={({ currentTarget }) => set({ text: currentTarget.value })}
            onKeyDown={(event) => {
              if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit(event);
            }}
          />
        </label>
        {shown.value === null && (
          <fieldset class="buttons">
            <legend class="unseen">Examples</legend>
            {EXAMPLES.map((example) => (
              <button
                key={example}
                type="button"
                class="quiet small"
                onClick={() => {
                  set({ text: example });
                  box.current?.focus();
                }}
              >
                {example}
              </button>
            ))}
          </fieldset>
        )}
        {mode !== "continue" && (
          <div class="controls">
            {field("time", "Hour", "6, 22:30, …")}
            {field("place", "Place", "gym, party, …")}
            {field("topic", "Topic", "anything")}
          </div>
        )}
        <details>
          <summary>Settings</summary>
          <div class="controls">
            <label>
              Temperature {temperature}
              <input
                type="range"
                min="0"
                max="2"
                step="0.1"
                value={temperature}
                onInput={({ currentTarget }) => set({ temperature: currentTarget.value })}
              />
            </label>
            <label>
              Tokens at most
              <input type="number" min="1" max="512" value={length} onInput={({ currentTarget }) => set({ length: currentTarget.value })} />
            </label>
          </div>
          <p class="speed">At temperature 0 the most probable token is taken each time; higher values take more chances.</p>
        </details>
        <div class="buttons">
          <button type="submit">{mode === "continue" ? "Continue" : "Ask"}</button>
          <span class="speed">or Ctrl + Enter</span>
        </div>
        <p class="speed">
          Questions and answers are kept for a week so that they can be voted on, and those with votes for a year, so that better answers
          win.
        </p>
      </form>
      <AnswerPanel />
      <Situations />
    </>
  );
}
