/** The overview as five tins: what is in each, how full it is, and what travels to the next. Pure, so that it can be tested. */
import type { Overview } from "../../../../../shared/contracts/overview.ts";
import { ago, bytes, count, counted, decimal, duration, NONE, percent, shortHash } from "../../frame/numbers.ts";

export type TinState = "working" | "ready" | "empty" | "down" | "unknown";

export interface Tin {
  key: string;
  title: string;
  /** What the stage does, for newcomers. */
  does: string;
  state: TinState;
  /** The one number of the stage. */
  main: string;
  unit: string;
  facts: readonly (readonly [name: string, value: string])[];
  /** 0 to 1; null where a share has no meaning. */
  fill: number | null;
  fillMeans: string;
  /** What goes on to the next tin. */
  passes: string;
}

const DOES = {
  collect: "Reads web pages, politely, and keeps their text.",
  tokenize: "Cuts the text into tokens, the pieces that a model reads.",
  train: "Adjusts the model until it predicts the next token better.",
  serve: "Answers questions with the best model so far.",
  learn: "Counts votes, so that better answers win next time.",
} as const;
type Key = keyof typeof DOES;

const TITLES: Readonly<Record<Key, string>> = { collect: "Collect", tokenize: "Tokenize", train: "Train", serve: "Serve", learn: "Learn" };
/** The Workers that a stage needs. */
const WORKERS: Readonly<Record<Key, string>> = {
  collect: "collector",
  tokenize: "tokenizer",
  train: "trainer",
  serve: "generator",
  learn: "feedback",
};

/** The facts of a stage before they are known, so that the page keeps its form when they come. */
const FACTS: Readonly<Record<Key, readonly string[]>> = {
  collect: ["Documents", "Pages read", "Sources", "Rate"],
  tokenize: ["Vocabulary", "Bytes per token", "From", "Now"],
  train: ["Counting model", "Tokens seen", "Time left", "Rate"],
  serve: ["Loss", "Published", "From run", "Models kept"],
  learn: ["Answers today", "Voted on"],
};

const share = (done: number, total: number) => (total > 0 ? Math.min(1, done / total) : null);

const blank = (key: Key, state: TinState): Tin => ({
  key,
  title: TITLES[key],
  does: DOES[key],
  state,
  main: NONE,
  unit: "",
  facts: FACTS[key].map((name) => [name, NONE] as const),
  fill: null,
  fillMeans: "",
  passes: "",
});

/** Five tins of which nothing is known yet. */
export const BLANK_TINS: readonly Tin[] = (Object.keys(DOES) as Key[]).map((key) => blank(key, "unknown"));

/** `rate` is in pages per second, from two overviews. */
export function tinsOf(overview: Overview, rate: number | null, now: number): readonly Tin[] {
  const tins = [collect(overview, rate), tokenize(overview), train(overview), serve(overview, now), learn(overview)];
  const isDown = ({ key }: Tin) => overview.parts[WORKERS[key as Key]] === "down";
  return tins.map((tin) => (isDown(tin) ? Object.assign(tin, { state: "down" }) : tin));
}

function collect({ corpus }: Overview, rate: number | null): Tin {
  if (corpus === null) return blank("collect", "down");
  const { documents, sources, crawl } = corpus;
  const isRunning = crawl?.state === "running";
  return {
    ...blank("collect", isRunning ? "working" : documents > 0 ? "ready" : "empty"),
    main: bytes(corpus.bytes),
    unit: "of text",
    facts: [
      ["Documents", count(documents)],
      ["Pages read", crawl === null ? NONE : count(crawl.fetched)],
      isRunning ? ["Waiting", counted(crawl.queued, "page")] : ["Sources", count(sources)],
      ["Rate", isRunning && rate !== null ? `${decimal(rate, 1)} pages/s` : "idle"],
    ],
    fill: crawl === null ? null : isRunning ? share(crawl.fetched, crawl.fetched + crawl.queued) : 1,
    fillMeans: "of the pages found are read",
    passes: documents > 0 ? counted(documents, "document") : "",
  };
}

function tokenize({ training }: Overview): Tin {
  if (training === null) return blank("tokenize", "down");
  const { run } = training;
  const shown = training.pretraining ?? run;
  if (run === null || shown === null) return blank("tokenize", "empty");
  const isWorking = run.state === "preparing";
  const { dataset, vocabSize } = shown;
  const { stage, done, total } = run.progress;
  return {
    ...blank("tokenize", isWorking ? "working" : dataset === null ? "empty" : "ready"),
    main: dataset === null ? NONE : count(dataset.tokens),
    unit: "tokens",
    facts: [
      ["Vocabulary", vocabSize === null ? NONE : count(vocabSize)],
      ["Bytes per token", dataset?.bytesPerToken ? decimal(dataset.bytesPerToken, 2) : NONE],
      ["From", dataset === null ? NONE : counted(dataset.documents, "document")],
      ["Now", isWorking ? stage : "idle"],
    ],
    fill: isWorking ? share(done, total) : dataset === null ? null : 1,
    fillMeans: isWorking ? `of the step “${stage}”` : "of the text is cut",
    passes: dataset === null ? "" : counted(dataset.tokens, "token"),
  };
}

function train({ training }: Overview): Tin {
  if (training === null) return blank("train", "down");
  const { run } = training;
  if (run === null || run.round === null) return blank("train", "empty");
  const { loss, valLoss, trigramLoss, tokens, totalTokens, tokensPerSecond, secondsLeft } = run;
  const isWorking = run.state === "training" || run.state === "evaluating";
  const shown = isWorking ? (loss ?? valLoss) : valLoss;
  const isTaught = run.dataset?.kind === "sft";
  return {
    ...blank("train", run.state === "failed" ? "down" : isWorking ? "working" : "ready"),
    main: shown === null ? NONE : decimal(shown, 3),
    unit: isTaught ? "nats per answer" : "nats per token",
    facts: [
      isTaught
        ? ["Teaches", counted(run.dataset?.documents ?? 0, "lesson")]
        : ["Counting model", trigramLoss === null ? NONE : decimal(trigramLoss, 3)],
      ["Tokens seen", tokens === null ? NONE : count(tokens)],
      isWorking ? ["Time left", secondsLeft === null ? NONE : duration(secondsLeft)] : ["The run is", run.state],
      ["Rate", isWorking && tokensPerSecond !== null ? `${count(tokensPerSecond)} tokens/s` : "idle"],
    ],
    fill: share(tokens ?? 0, totalTokens ?? 0),
    fillMeans: "of the run is done",
    passes: training.models > 0 ? counted(training.models, "model") : "",
  };
}

function serve({ training, feedback }: Overview, now: number): Tin {
  if (training === null) return blank("serve", "down");
  const { active, models } = training;
  if (active === null) return { ...blank("serve", "empty"), main: "No model", unit: "yet" };
  return {
    ...blank("serve", "ready"),
    main: shortHash(active.model),
    unit: "is the model",
    facts: [
      ["Loss", active.valLoss === null ? NONE : decimal(active.valLoss, 3)],
      ["Published", ago(active.publishedAt, now)],
      ["From run", active.run.length > 14 ? `${active.run.slice(0, 12)}…` : active.run],
      ["Models kept", count(models)],
    ],
    fill: 1,
    fillMeans: "ready to answer",
    passes: feedback === null ? "" : counted(feedback.answers, "answer"),
  };
}

function learn({ feedback }: Overview): Tin {
  if (feedback === null) return blank("learn", "down");
  const { answers, voted } = feedback;
  return {
    ...blank("learn", voted > 0 ? "ready" : "empty"),
    main: count(voted),
    unit: voted === 1 ? "answer voted on" : "answers voted on",
    facts: [
      ["Answers today", count(answers)],
      ["Voted on", answers === 0 ? NONE : percent(Math.min(1, voted / answers))],
    ],
    fill: share(voted, answers),
    fillMeans: "of today’s answers have a vote",
    passes: "",
  };
}

/** What happens now, in one sentence, and the next thing to do. */
export function storyOf(overview: Overview): { now: string; next: { text: string; href: string } | null } {
  const { corpus, training } = overview;
  const run = training?.run ?? null;
  const { crawl } = corpus ?? { crawl: null };
  if (run?.state === "training" && run.round !== null) {
    const done = percent(share(run.tokens ?? 0, run.totalTokens ?? 0) ?? 0);
    const line = run.trigramLoss;
    const compared =
      run.loss === null || line === null
        ? ""
        : run.loss < line
          ? " It now predicts better than a model that only counts words in threes."
          : ` It has yet to cross ${decimal(line, 2)}, the loss of a model that only counts.`;
    return { now: `Training: ${done} of the tokens are learned.${compared}`, next: null };
  }
  if (run?.state === "evaluating")
    return { now: "Training has ended; the model is being measured on text that it has not seen.", next: null };
  if (run?.state === "preparing") return { now: `Text becomes tokens: ${run.progress.stage}.`, next: null };
  if (run?.state === "failed") return { now: "The newest run has failed.", next: null };
  if (crawl?.state === "running")
    return { now: `Pages are arriving: ${counted(crawl.fetched, "page")} read, ${count(crawl.queued)} waiting.`, next: null };
  if (training !== null && training.active !== null) return { now: "A model is up and answers.", next: null };
  if ((corpus?.documents ?? 0) > 0) return { now: "Text is collected, and no model has been trained on it yet.", next: null };
  return { now: "Nothing is here yet. npm start collects pages and trains a first model.", next: null };
}
