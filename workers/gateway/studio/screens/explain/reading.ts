/**
 * One reading of a text by the model: what to read comes from the page's address, the result from POST /explain. Each change of the
 * text or of the chosen token is a new request, because an answer holds the attention of one position.
 */
import { computed, signal } from "@preact/signals";
import type { Explanation, ExplainRequest } from "../../../../../shared/contracts/explain.ts";
import { parameter, setParameters, textParameter } from "../../frame/address.ts";
import { call } from "../../frame/api.ts";
import { contextOf } from "../../frame/situation.ts";
import { continuationOf, type Text } from "./continuation.ts";

export const EXAMPLE = "The cat sat on the mat because it was tired.";
const ALTERNATIVES = 5;

export const explanation = signal<Explanation | null>(null);
export const problem = signal("");
export const isReading = signal(false);
let reading: AbortController | null = null;

export function textInAddress(): Text {
  return {
    form: textParameter("as") === "question" ? "question" : "text",
    text: textParameter("text"),
    answer: textParameter("answer"),
    time: textParameter("time"),
    place: textParameter("place"),
  };
}

/** The head in the page's address, as layer and head from 0. Null: all heads together. */
export const chosenHead = computed((): { layer: number; head: number } | null => {
  const found = /^(\d{1,3})\.(\d{1,3})$/.exec(textParameter("head"));
  const [layer, head] = [Number(found?.[1]) - 1, Number(found?.[2]) - 1];
  const isThere = explanation.value?.attention[0]?.weights[layer]?.[head] !== undefined;
  return isThere ? { layer, head } : null;
});

/** The position whose attention is shown. */
export const position = computed(() => explanation.value?.attention[0]?.position ?? 0);

/** The attention of the chosen head, or the mean of all heads: one weight per token up to the chosen one. */
export const weights = computed((): readonly number[] => {
  const layers = explanation.value?.attention[0]?.weights ?? [];
  const chosen = chosenHead.value;
  if (chosen !== null) return layers[chosen.layer]![chosen.head]!;
  const heads = layers.flat();
  return (heads[0] ?? []).map((_, key) => heads.reduce((sum, head) => sum + head[key]!, 0) / heads.length);
});

function requestOf({ form, text, answer, time, place }: Text, at: number | null): Partial<ExplainRequest> {
  const context = contextOf({ time, place });
  return {
    text,
    form,
    alternatives: ALTERNATIVES,
    ...(form === "question" && Object.keys(context).length > 0 ? { context } : {}),
    ...(form === "question" && answer !== "" ? { answer } : {}),
    ...(at === null ? {} : { position: at }),
  };
}

/** Reads the text in the page's address again. `at` is the position to show; null for the last one. */
async function readAt(at: number | null): Promise<void> {
  reading?.abort();
  const own = new AbortController();
  reading = own;
  isReading.value = true;
  try {
    explanation.value = await call<Explanation>("POST", "/explain", requestOf(textInAddress(), at), own.signal);
    problem.value = "";
  } catch (error) {
    if ((error as Error).name === "AbortError") return;
    problem.value = (error as Error).message;
  }
  isReading.value = false;
}

/** Reads what the address says, if it says anything. */
export function readFromAddress(): void {
  const at = parameter("token");
  if (textInAddress().text !== "") void readAt(at !== null && /^\d{1,4}$/.test(at) ? Number(at) : null);
}

export function read({ form, text, answer, time, place }: Text): void {
  const isQuestion = form === "question";
  const only = (value: string) => (isQuestion ? value : null);
  setParameters({ as: only("question"), text, answer: only(answer), time: only(time), place: only(place), token: null, head: null }, true);
  void readAt(null);
}

/** Shows the attention and the layers of another token. */
export function choose(at: number): void {
  setParameters({ token: String(at) });
  void readAt(at);
}

/** Reads the text up to a token, with another token in its place. Null if this cannot be read as a text. */
export function goOnWith(at: number, token: string): (() => void) | null {
  const { value } = explanation;
  const now = textInAddress();
  const next = value === null ? null : continuationOf(value, now, at, token);
  return next === null ? null : () => read({ ...now, ...next });
}
