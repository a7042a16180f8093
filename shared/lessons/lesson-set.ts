/**
 * A lesson set: conversations as they were posted, each as often as it was posted, since repetition is how lessons say how
 * probable an answer is. Some questions are kept for validation, with all their answers, so that the answers which remain
 * for training still have their shares.
 */
import type { LessonSet } from "../artifacts.ts";
import type { Message } from "../tokenizer/chat-template.ts";
import { conversationOf } from "./forms.ts";

/** Bytes of JSON Lines that one set may be made from. */
export const MAX_LESSON_BYTES = 8 * 1024 * 1024;
export const MAX_CONVERSATIONS = 100_000;
/** Refused lines that are named; all are counted. */
const MAX_REFUSED_SHOWN = 100;
const HELD_OUT_SHARE = 0.05;

export interface ParsedLessons {
  conversations: Message[][];
  /** The first refused lines, counted from 1. */
  refused: { line: number; reason: string }[];
  refusedLines: number;
}

/** Parses JSON Lines. Lines beyond the largest set are refused like lines of no form. Empty lines do not count. */
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
 * For each conversation whether it is kept for validation: about one question in twenty, but at least one, and never all. A
 * question is a conversation without its last answer. Null when all conversations ask the same.
 */
export function heldOutConversations({ conversations }: Pick<LessonSet, "conversations">): boolean[] | null {
  const keys = conversations.map((messages) => hashText(JSON.stringify(messages.slice(0, -1).map(({ role, content }) => [role, content]))));
  const distinct = [...new Set(keys)].toSorted((a, b) => a - b);
  if (distinct.length < 2) return null;
  const below = Math.min(Math.max(HELD_OUT_SHARE * 2 ** 32, distinct[0]! + 1), distinct.at(-1)!);
  return keys.map((key) => key < below);
}

/** A hash of a text in 0..2^32-1: FNV-1a, whose high bits are weak for short texts, mixed by the finalizer of MurmurHash3. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
