/**
 * The chapters of the learn screen. Each explains one stage, links to a page of the Studio, and has a goal that the pipeline
 * reaches.
 */
import type { Overview } from "../../../../../shared/contracts/overview.ts";
import { bytes, count, counted, decimal } from "../../frame/numbers.ts";

export interface Chapter {
  key: string;
  title: string;
  text: readonly string[];
  /** One thing for the reader to do. */
  task: { text: string; href: string };
  /** The stage's result that completes the chapter. `proof` returns the measured result, or null while there is none. */
  goal: string;
  proof: (overview: Overview) => string | null;
}

export const CHAPTERS: readonly Chapter[] = [
  {
    key: "collect",
    title: "Text comes first",
    text: [
      "A language model knows nothing but what it has read. So the first part of Tiffin reads web pages: it asks each site what it allows, takes one page at a time, keeps the main text and leaves menus and advertisements out.",
      "What was read decides what the model will sound like. A model that reads manuals answers like a manual.",
    ],
    task: { text: "See what was collected", href: "/studio/corpus" },
    goal: "The first page is collected",
    proof: ({ corpus }) =>
      corpus !== null && corpus.documents > 0 ? `${counted(corpus.documents, "document")}, ${bytes(corpus.bytes)} of text` : null,
  },
  {
    key: "tokenize",
    title: "Text falls into tokens",
    text: [
      "A model computes with numbers. The tokenizer looks for pairs of bytes that stand beside each other often and makes them one token, again and again, until its vocabulary is full. Frequent words become one token; rare ones stay in pieces.",
    ],
    task: { text: "Cut a text of your own", href: "/studio/tokenizer" },
    goal: "The first token is cut",
    proof: ({ training }) => {
      const dataset = training?.pretraining?.dataset ?? null;
      return dataset === null
        ? null
        : `${count(dataset.tokens)} tokens, ${dataset.bytesPerToken === null ? "" : `${decimal(dataset.bytesPerToken, 2)} bytes in each`}`;
    },
  },
  {
    key: "train",
    title: "Predict, compare, adjust",
    text: [
      "The model sees the beginning of a text and says how probable each next token is. The loss tells how surprised it was by the token that came; each parameter is then moved a little so that the surprise shrinks. That is all of training, some hundred thousand times.",
      "A simple rival keeps it honest: a model that only counts which token follows which two. Below that line, a network has learned more than counting.",
    ],
    task: { text: "Watch the loss", href: "/studio/training" },
    goal: "The line of the counting model is crossed",
    proof: ({ training }) => {
      const run = training?.pretraining ?? null;
      const reached = run === null ? null : (run.valLoss ?? run.loss);
      const line = run?.trigramLoss ?? null;
      return reached !== null && line !== null && reached < line ? `loss ${decimal(reached, 3)}, below ${decimal(line, 3)}` : null;
    },
  },
  {
    key: "serve",
    title: "The same words, another situation",
    text: [
      "“I need songs” means one thing at six in the morning in the gym and another at ten at night at a party. A request can carry its situation; lessons have shown the model what a situation changes.",
    ],
    task: { text: "Ask in two situations", href: "/studio/playground" },
    goal: "A model answers",
    proof: ({ training }) => (training?.active === null || training === null ? null : `model ${training.active.model.slice(0, 8)} is up`),
  },
  {
    key: "learn",
    title: "People decide what is good",
    text: [
      "For every question the model drafts candidates. Votes on a text become its reward, and next time the candidate with the best reward is given. One person has one vote for a text, so nobody wins by clicking.",
    ],
    task: { text: "Vote on an answer", href: "/studio/playground?q=I%20need%20songs" },
    goal: "The first vote is counted",
    proof: ({ feedback }) => (feedback !== null && feedback.voted > 0 ? `${counted(feedback.voted, "answer")} voted on today` : null),
  },
  {
    key: "use",
    title: "Use it",
    text: [
      "Programs ask the model as you do: they POST a text and get an answer. It also speaks the protocols of OpenAI and Ollama, so programs made for those need only another address.",
    ],
    task: { text: "Read the API", href: "/openapi.json" },
    goal: "An answer was given today",
    proof: ({ feedback }) => (feedback !== null && feedback.answers > 0 ? counted(feedback.answers, "answer") : null),
  },
];
