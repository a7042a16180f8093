/**
 * Shows the answer while it is made, its candidates, and the vote. The scores of the candidates appear only after the vote, so
 * they do not influence it.
 */
import { Announcer } from "../../frame/announcer.tsx";
import { counted, decimal } from "../../frame/numbers.ts";
import { shown, stop, vote, type Shown } from "./conversation.ts";

const FINISHES: Readonly<Record<Shown["finish"], string>> = {
  running: "Answering…",
  stop: "The answer is whole.",
  length: "The answer was cut at its length.",
  stopped: "Stopped.",
  failed: "No answer.",
};

function Speed({ tokens, seconds, finish }: Shown) {
  const speed = tokens === null || seconds === 0 ? "" : `, ${counted(tokens, "token")}, ${decimal(tokens / seconds, 1)} tokens/s`;
  return (
    <p class="speed">
      {FINISHES[finish]} {decimal(seconds, 1)} s{speed}
    </p>
  );
}

/**
 * Shows each different text once, in alphabetical order, because the order of ranking would show the reader which one the model
 * prefers.
 */
function Candidates({ candidates, text, vote: given }: Shown) {
  const different = [...new Map(candidates.map((candidate) => [candidate.response, candidate])).values()];
  return (
    <ul class="candidates">
      {different
        .toSorted((a, b) => (a.response < b.response ? -1 : 1))
        .map(({ response, reward, logProbability }) => {
          const times = candidates.filter((each) => each.response === response).length;
          return (
            <li key={response} class="candidate">
              <p class="text" dir="auto">
                {response || "(an empty answer)"}
              </p>
              {times > 1 && <p class="speed">said {times} times</p>}
              {given !== null && (
                <p class="speed">
                  {response === text && <b>Chosen. </b>}
                  Reward before your vote {decimal(reward, 2)}, log-probability {decimal(logProbability, 2)} nats per token
                </p>
              )}
            </li>
          );
        })}
    </ul>
  );
}

function Votes({ question, receipt, vote: given, finish }: Shown) {
  if (question.mode === "continue" || finish === "running" || finish === "failed") return null;
  if (receipt === null) return <p class="speed">This answer cannot be voted on.</p>;
  if (given !== null) {
    const { votes, reward } = given.tally;
    return (
      <p>
        Thank you. {counted(votes, "person has", "people have")} voted on this text; its reward is now {decimal(reward, 2)}. The candidate
        with the best reward is given next time, counted as if one more person had voted 0.5; a tie goes to the more probable text.
      </p>
    );
  }
  return (
    <fieldset class="buttons">
      <legend class="unseen">Your vote</legend>
      <button type="button" class="quiet" onClick={() => void vote(1)}>
        <span aria-hidden="true">👍</span> Good answer
      </button>
      <button type="button" class="quiet" onClick={() => void vote(0)}>
        <span aria-hidden="true">👎</span> Bad answer
      </button>
    </fieldset>
  );
}

export function AnswerPanel() {
  const { value } = shown;
  if (value === null) return null;
  const { question, text, candidates, finish, problem } = value;
  const isCompared = candidates.length > 1;
  return (
    <section class="panel answer" aria-label="Answer" aria-busy={finish === "running" ? "true" : "false"}>
      <p class="asked" dir="auto">
        {question.text}
      </p>
      {isCompared ? (
        <Candidates {...value} />
      ) : (
        <p class="text" dir="auto">
          {question.mode === "continue" && <span class="given">{question.text}</span>}
          {text}
          {finish === "running" && <span class="caret" aria-hidden="true" />}
        </p>
      )}
      <Announcer text={finish === "running" ? "Answering" : finish === "failed" ? problem : `Answer: ${text}`} isShown={false} />
      {problem !== "" && <p class="notice">{problem}</p>}
      <div class="buttons">
        <Speed {...value} />
        {finish === "running" && (
          <button type="button" class="quiet small" onClick={stop}>
            Stop
          </button>
        )}
      </div>
      {isCompared && value.vote === null && (
        <p class="speed">Your vote is about the candidate that the model chose; it is named after the vote.</p>
      )}
      <Votes {...value} />
    </section>
  );
}
