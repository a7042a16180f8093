/**
 * Turns the `context` of a request or a lesson into the system message. Lessons and requests share this code, so a model is
 * asked in the words that it has learned.
 *
 * Each key is one "key: value" line. Time, place and topic come first; the other keys follow in alphabetical order. An hour is
 * written twice, with the part of the day first: "time: morning, 06:00". All morning hours share the word "morning", so a model
 * that learned some of these hours can answer for the others.
 */
import { z } from "zod";

const MAX_KEYS = 32;

/** Facts about the situation in which a question is asked. */
export const contextSchema = z
  .record(z.string().max(64), z.union([z.string().max(256), z.number(), z.boolean()]))
  .refine((context) => Object.keys(context).length <= MAX_KEYS, { error: `expected at most ${MAX_KEYS} keys` });
export type Context = z.output<typeof contextSchema>;

const FIRST_KEYS: readonly string[] = ["time", "place", "topic"];

/** Renders the system message. Returns null when the context is empty. */
export function renderContext(context: Context): string | null {
  const lines = contextLines(context).map(({ key, value }) => `${key}: ${value}`);
  return lines.length === 0 ? null : lines.join("\n");
}

/** The keys and rendered values of a context, in the order of the system message. */
export function contextLines(context: Context): { key: string; value: string }[] {
  return Object.entries(context)
    .map(([key, value]) => ({ key: oneLine(key), value: valueOf(oneLine(key), value) }))
    .filter(({ key, value }) => key !== "" && value !== "")
    .toSorted((a, b) => rankOf(a.key) - rankOf(b.key) || compare(a.key, b.key));
}

const rankOf = (key: string) => (FIRST_KEYS.includes(key) ? FIRST_KEYS.indexOf(key) : FIRST_KEYS.length);
const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** Replaces line breaks and other white space by one space. Without this, a value with a line break could look like another key. */
const oneLine = (text: string) => text.replaceAll(/\s+/g, " ").trim();

function valueOf(key: string, value: Context[string]): string {
  const text = oneLine(String(value));
  return key === "time" ? timeOf(text) : text;
}

/** Adds the part of the day to an hour or a clock time; keeps any other text. */
function timeOf(text: string): string {
  const clock = clockOf(text);
  return clock === null ? text : `${partOfDay(clock.hour)}, ${twoDigits(clock.hour)}:${twoDigits(clock.minute)}`;
}

export function partOfDay(hour: number): "night" | "morning" | "day" | "evening" {
  if (hour < 5 || hour > 20) return "night";
  if (hour < 11) return "morning";
  return hour < 16 ? "day" : "evening";
}

const twoDigits = (value: number) => String(value).padStart(2, "0");

const CLOCK =
  /^(?:\d{4}-\d{2}-\d{2}T)?(\d{1,2})(?:[:.](\d{2}))?(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2})?\s*(am|pm|a\.m\.|p\.m\.|h|o'clock)?$/i;

/** Parses an hour or a time, for example "6", "06:00", "6:30 pm", "2026-12-01T06:00:00Z". Returns null for other text. */
function clockOf(text: string): { hour: number; minute: number } | null {
  const [, hours, minutes = "0", half = ""] = CLOCK.exec(text) ?? [];
  if (hours === undefined) return null;
  const [given, minute] = [Number(hours), Number(minutes)];
  const isHalf = /^[ap]/i.test(half);
  if (minute > 59 || given > 24 || (isHalf && (given < 1 || given > 12))) return null;
  if (!isHalf) return { hour: given % 24, minute };
  return { hour: (given % 12) + (/^p/i.test(half) ? 12 : 0), minute };
}
