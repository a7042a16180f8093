/**
 * Lesson sets. A conversation is kept as often as it was posted, because its repetitions tell the model how probable an answer
 * is. Some questions are held out for validation with all their answers, so the remaining questions keep their answers'
 * proportions.
 */
import type { LessonSet } from "../artifacts.ts";
import type { Message } from "../tokenizer/chat-template.ts";
import { conversationOf } from "./forms.ts";

/** Maximum bytes of the JSON Lines of a set. */
export const MAX_LESSON_BYTES = 8 * 1024 * 1024;
export const MAX_CONVERSATIONS = 100_000;
/** Maximum number of refused lines to list. `refusedLines` counts all of them. */
const MAX_REFUSED_SHOWN = 100;
const HELD_OUT_SHARE = 0.05;

export interface ParsedLessons {
  conversations: Message[][];
  /** The first refused lines. Line numbers start at 1. */
  refused: { line: number; reason: string }[];
  refusedLines: number;
}

/** Parses JSON Lines. Ignores empty lines. Refuses lines without a known form, and lines beyond MAX_CONVERSATIONS. */
export function parseLessons(text: string): ParsedLessons {
  const parsed: ParsedLessons = { conversations: [], refused: [], refusedLines: 0 };
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const isFull = parsed.conversations.length >= MAX_CONVERSATIONS;
    const lesson = isFull ? { reason: `expected at most ${MAX_CONVERSATIONS} lessons` } : conversationOf(line);
    if ("messages" in lesson) parsed.conversations.push(lesson.messages);
    else {
      parsed.refusedLines++;
      if (parsed.refused.length < MAX_REFUSED_SHOWN) parsed.refused.push({ line: index + 1, reason: lesson.reason });
    }
  }
  return parsed;
}

/**
 * Says for each conversation whether it is held out for validation. A question is a conversation without its last answer. About
 * one question in twenty is held out, but at least one question, and never all. Returns null when all conversations have the
 * same question.
 */
export function heldOutConversations({ conversations }: Pick<LessonSet, "conversations">): boolean[] | null {
  const keys = conversations.map((messages) => hashText(JSON.stringify(messages.slice(0, -1).map(({ role, content }) => [role, content]))));
  const distinct = [...new Set(keys)].toSorted((a, b) => a - b);
  if (distinct.length < 2) return null;
  const below = Math.min(Math.max(HELD_OUT_SHARE * 2 ** 32, distinct[0]! + 1), distinct.at(-1)!);
  return keys.map((key) => key < below);
}

/** A 32-bit hash of a text: FNV-1a, then the finalizer of MurmurHash3, because FNV-1a has weak high bits for short texts. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
