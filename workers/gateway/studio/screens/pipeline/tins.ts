/**
 * Turns the overview into five tins, one per stage: its content, how full it is, and what it passes to the next. Pure functions,
 * so that they can be tested.
 */
import type { Overview } from "../../../../../shared/contracts/overview.ts";
import type { RunTick } from "../../../../../shared/contracts/runs.ts";
import { ago, bytes, count, counted, decimal, duration, NONE, percent, shortHash } from "../../frame/numbers.ts";

export type TinState = "working" | "ready" | "empty" | "down" | "unknown";

export interface Tin {
  key: string;
  title: string;
  /** What the stage does, for newcomers. */
  does: string;
  state: TinState;
  /** The stage's most important number. */
  main: string;
  unit: string;
  facts: readonly (readonly [name: string, value: string])[];
  /** How full the tin is, 0 to 1. Null if the stage has no meaningful share. */
  fill: number | null;
  fillMeans: string;
  /** The amount that goes to the next tin, such as "12 documents". */
  passes: string;
  link: { text: string; href: string };
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
/** The Worker of each stage. If it is down, the stage is down. */
const WORKERS: Readonly<Record<Key, string>> = {
  collect: "collector",
  tokenize: "tokenizer",
  train: "trainer",
  serve: "generator",
  learn: "feedback",
};

/**
 * The names of each stage's facts. They are shown before the values are known, so the page keeps its layout when the values come.
 */
const FACTS: Readonly<Record<Key, readonly string[]>> = {
  collect: ["Documents", "Pages read", "Sources", "Rate"],
  tokenize: ["Vocabulary", "Bytes per token", "From", "Now"],
  train: ["Counting model", "Tokens seen", "Time left", "Rate"],
  serve: ["Loss", "Published", "Run", "Models kept"],
  learn: ["Answers today", "Voted on"],
};

const LINKS: Readonly<Record<Key, Tin["link"]>> = {
  collect: { text: "Sources and crawls", href: "/studio/corpus" },
  tokenize: { text: "Cut a text yourself", href: "/studio/tokenizer" },
  train: { text: "Watch the loss", href: "/studio/training" },
  serve: { text: "Ask the model", href: "/studio/playground" },
  learn: { text: "Vote on an answer", href: "/studio/playground" },
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
  link: LINKS[key],
});

/** The five tins before anything is known. */
export const BLANK_TINS: readonly Tin[] = (Object.keys(DOES) as Key[]).map((key) => blank(key, "unknown"));

/** Pages per second between two overviews. Null if they show different crawls. */
export function crawlRate(before: Overview | null, after: Overview | null): number | null {
  const [first, last] = [before?.corpus?.crawl, after?.corpus?.crawl];
  if (!before || !after || !first || !last || first.startedAt !== last.startedAt) return null;
  const seconds = (Date.parse(after.checkedAt) - Date.parse(before.checkedAt)) / 1000;
  return seconds > 0 ? (last.fetched - first.fetched) / seconds : null;
}

/** `rate` is in pages per second. */
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
    unit: isTaught ? "nats/answer" : "nats/token",
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
    unit: "answers",
    facts: [
      ["Loss", active.valLoss === null ? NONE : decimal(active.valLoss, 3)],
      ["Published", ago(active.publishedAt, now)],
      ["Run", active.run.length > 16 ? `${active.run.slice(0, 14)}…` : active.run],
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

export interface Story {
  now: string;
  next: { text: string; href: string } | null;
}

const WATCH = { text: "Watch the loss fall", href: "/studio/training" };
const ASK = { text: "Talk to the model", href: "/studio/playground" };

/** A sentence that says what happens now, and a link to what the reader can do next. */
export function storyOf({ corpus, training }: Overview): Story {
  const run = training?.run ?? null;
  const crawl = corpus?.crawl ?? null;
  switch (run?.state) {
    case "preparing":
      return { now: `Text falls into tokens: step “${run.progress.stage}”.`, next: null };
    case "training":
      return { now: trainingStory(run), next: WATCH };
    case "evaluating":
      return { now: "Training has ended. The model is measured on text that it has not seen.", next: WATCH };
    case "paused":
      return { now: "Training is paused.", next: WATCH };
    case "failed":
      return { now: "The newest run has failed. Its page says why.", next: WATCH };
    default:
  }
  if (crawl?.state === "running")
    return { now: `Pages arrive: ${counted(crawl.fetched, "page")} read, ${count(crawl.queued)} waiting.`, next: null };
  if (training !== null && training.active !== null) return { now: "A model is up and answers.", next: ASK };
  if ((corpus?.documents ?? 0) > 0)
    return { now: "Text is collected, and no model has learned from it yet.", next: { text: "Start a run", href: "/studio/training" } };
  return { now: "Nothing is here yet. npm start collects pages and trains a first model.", next: null };
}

function trainingStory({ tokens, totalTokens, loss, trigramLoss, dataset }: RunTick): string {
  const done = percent(share(tokens ?? 0, totalTokens ?? 0) ?? 0);
  if (dataset?.kind === "sft") return `The model learns its lessons: ${done} done.`;
  if (loss === null || trigramLoss === null) return `The model learns: ${done} of the tokens are read.`;
  return loss < trigramLoss
    ? `The model learns: ${done} of the tokens are read. It predicts better now than a model that only counts tokens in threes.`
    : `The model learns: ${done} of the tokens are read. At ${decimal(trigramLoss, 2)} its loss crosses the line of a model that only counts.`;
}
