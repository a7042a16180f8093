/** Asks the model: reads the question from the page's address, collects the answer while it is made, and sends the vote. */
import { batch, signal } from "@preact/signals";
import type { StoredVote } from "../../../../../shared/contracts/feedback.ts";
import type { Answer, Candidate } from "../../../../../shared/contracts/generate.ts";
import { parameter, setParameters } from "../../frame/address.ts";
import { call, send } from "../../frame/api.ts";
import { contextOf } from "../../frame/situation.ts";
import { serverEvents } from "../../frame/server-events.ts";

export type Mode = "ask" | "continue" | "compare";
export const MODES: readonly Mode[] = ["ask", "continue", "compare"];

/** The settings of an answer. All are texts, as in the page's address. */
export interface Question {
  mode: Mode;
  text: string;
  time: string;
  place: string;
  topic: string;
  temperature: string;
  length: string;
}

export const DEFAULTS = { temperature: "0.7", length: "64" } as const;

export interface Shown {
  question: Question;
  text: string;
  candidates: readonly Candidate[];
  /** The number of tokens in the answer; null until the answer is complete. */
  tokens: number | null;
  seconds: number;
  finish: "running" | "stop" | "length" | "stopped" | "failed";
  /** What a vote needs; null until the answer is complete, and if nobody can vote on it. */
  receipt: string | null;
  problem: string;
  vote: { score: number; tally: StoredVote } | null;
}

export const shown = signal<Shown | null>(null);
let running: AbortController | null = null;

const of = (name: string, otherwise = "") => parameter(name) ?? otherwise;

export function questionInAddress(): Question {
  return {
    mode: MODES.find((mode) => mode === parameter("mode")) ?? "ask",
    text: of("q"),
    time: of("time"),
    place: of("place"),
    topic: of("topic"),
    temperature: of("temperature", DEFAULTS.temperature),
    length: of("length", DEFAULTS.length),
  };
}

export const stop = (): void => running?.abort();

export async function ask(question: Question): Promise<void> {
  stop();
  const { mode, text, time, place, topic, temperature, length } = question;
  setParameters(
    {
      mode: mode === "ask" ? null : mode,
      q: text,
      time,
      place,
      topic,
      temperature: temperature === DEFAULTS.temperature ? null : temperature,
      length: length === DEFAULTS.length ? null : length,
    },
    true,
  );
  const own = new AbortController();
  running = own;
  const startedAt = performance.now();
  const change = (changes: Partial<Shown>) => {
    if (running === own && shown.value !== null)
      shown.value = { ...shown.value, ...changes, seconds: (performance.now() - startedAt) / 1000 };
  };
  const blank = { text: "", candidates: [], tokens: null, seconds: 0, receipt: null, problem: "", vote: null };
  shown.value = { ...blank, question, finish: "running" };
  try {
    if (mode === "compare") await compare(question, own.signal, change);
    else if (mode === "continue") await continueText(question, own.signal, change);
    else await streamAnswer(question, own.signal, change);
  } catch (error) {
    const isStopped = (error as Error).name === "AbortError";
    change(isStopped ? { finish: "stopped" } : { finish: "failed", problem: (error as Error).message });
  }
}

type Change = (changes: Partial<Shown>) => void;

const situationOf = ({ time, place, topic }: Question) => contextOf({ time, place, topic });
const settingsOf = ({ temperature, length }: Question) => ({ temperature: Number(temperature), maxTokens: Number(length) });

async function streamAnswer(question: Question, signalOf: AbortSignal, change: Change): Promise<void> {
  const body = { text: question.text, context: situationOf(question), ...settingsOf(question), stream: true };
  let text = "";
  for await (const { name, data } of serverEvents(await send("POST", "/generate", body, signalOf))) {
    const event = JSON.parse(data) as {
      delta?: string;
      error?: string;
      finishReason?: "stop" | "length";
      usage?: Answer["usage"];
      receipt?: string | null;
    };
    if (name === "text") change({ text: (text += event.delta ?? "") });
    else if (name === "error") throw new Error(event.error ?? "the answer broke off");
    else if (name === "done")
      change({
        finish: event.finishReason ?? "stop",
        tokens: event.usage?.completionTokens ?? null,
        receipt: event.receipt ?? null,
      });
  }
}

/** Continues a text that is not a question. Only OpenAI's protocol has a route for this. */
async function continueText(question: Question, signalOf: AbortSignal, change: Change): Promise<void> {
  const { text: prompt, temperature, length } = question;
  const body = {
    model: "tiffin",
    prompt,
    temperature: Number(temperature),
    max_tokens: Number(length),
    stream: true,
    stream_options: { include_usage: true },
  };
  let text = "";
  for await (const { data } of serverEvents(await send("POST", "/v1/completions", body, signalOf))) {
    if (data === "[DONE]") return;
    const chunk = JSON.parse(data) as {
      error?: { message: string };
      choices?: { text?: string; finish_reason?: "stop" | "length" | null }[];
      usage?: { completion_tokens: number } | null;
    };
    if (chunk.error !== undefined) throw new Error(chunk.error.message);
    const [choice] = chunk.choices ?? [];
    if (choice?.text !== undefined) change({ text: (text += choice.text) });
    if (choice?.finish_reason) change({ finish: choice.finish_reason });
    if (chunk.usage) change({ tokens: chunk.usage.completion_tokens });
  }
}

async function compare(question: Question, signalOf: AbortSignal, change: Change): Promise<void> {
  const body = { text: question.text, context: situationOf(question), ...settingsOf(question) };
  const answer = await call<Answer>("POST", "/generate", body, signalOf);
  change({
    text: answer.response,
    candidates: answer.candidates,
    tokens: answer.usage.completionTokens,
    receipt: answer.receipt,
    finish: "stop",
  });
}

/** Sends a vote for the shown answer: 1 for good, 0 for bad. */
export async function vote(score: number): Promise<void> {
  const { value } = shown;
  if (value === null) return;
  try {
    const tally = await call<StoredVote>("POST", "/feedback", { receipt: value.receipt, score });
    batch(() => {
      shown.value = { ...value, vote: { score, tally }, problem: "" };
    });
  } catch (error) {
    shown.value = { ...value, problem: (error as Error).message };
  }
}
