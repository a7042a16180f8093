/** Lesson sets in R2: immutable objects under the hash of their content, so equal lessons are stored once. */
import { z } from "zod";
import { hashSchema, lessonSetSchema, OBJECT_KINDS, objectKey, type Hash, type LessonSet } from "../../shared/artifacts.ts";
import { labelledSetSchema, labelsOf, type LabelledSet } from "../../shared/lessons/labelled.ts";
import { MAX_LABELS } from "../../shared/network-config.ts";
import type { AddedLessons, LessonSetDetail, LessonSetInfo } from "../../shared/contracts/lessons.ts";
import { namedError } from "../../shared/errors.ts";
import { heldOutLessons, parseLessons, type LessonsOfSet } from "../../shared/lessons/lesson-set.ts";
import { getJson, putJson } from "../../shared/store.ts";
import { missingAsNotFound } from "./missing-as-not-found.ts";

const MAX_EXAMPLES_SHOWN = 5;
/** The most reasons in the error about a text without lessons. */
const MAX_REASONS = 3;

const anySetSchema = z.union([lessonSetSchema, labelledSetSchema]);

/** Throws "InvalidInput" if the lines do not make a set with lessons to learn and lessons to evaluate. */
export async function addLessons(env: TokenizerEnv, text: string): Promise<AddedLessons> {
  const { conversations, labelled, refused, refusedLines } = parseLessons(text);
  if (conversations.length + labelled.length === 0) {
    const reasons = refused.slice(0, MAX_REASONS).map(({ line, reason }) => `line ${line}: ${reason}`);
    throw namedError(
      "InvalidInput",
      `lessons: expected JSON Lines with at least one lesson, got none; ${reasons.join("; ") || "no lines"}`,
    );
  }
  if (labelled.length > 0) checkLabels(labelsOf(labelled));
  const set: LessonSet | LabelledSet = labelled.length > 0 ? { format: 1, labelled } : { format: 1, conversations };
  const heldOut = heldOutOf(set);
  const id = await putJson(env.ARTIFACTS, "lesson-set", set);
  const counts = { conversations: conversations.length, labelled: labelled.length, heldOut: heldOut.filter(Boolean).length };
  return { id, ...counts, refusedLines, refused };
}

function checkLabels({ length }: readonly string[]): void {
  if (length < 2 || length > MAX_LABELS)
    throw namedError("InvalidInput", `lessons: expected 2..${MAX_LABELS} different labels, got ${length}`);
}

/** For each lesson, true if it is for validation. Throws "InvalidInput" if none can be held out. */
export function heldOutOf(lessons: LessonsOfSet): boolean[] {
  const heldOut = heldOutLessons(lessons);
  if (heldOut !== null) return heldOut;
  throw namedError("InvalidInput", "lessons: expected at least two different questions, one of them to evaluate on, got one");
}

/** All sets, newest first. */
export async function listLessons(env: TokenizerEnv): Promise<LessonSetInfo[]> {
  const { prefix, suffix } = OBJECT_KINDS["lesson-set"];
  const found: LessonSetInfo[] = [];
  let cursor: string | undefined;
  do {
    const page = await env.ARTIFACTS.list({ prefix: `${prefix}/`, ...(cursor === undefined ? {} : { cursor }) });
    for (const { key, size, uploaded } of page.objects)
      found.push({ id: key.slice(prefix.length + 1, -suffix.length), bytes: size, createdAt: uploaded.toISOString() });
    cursor = page.truncated ? page.cursor : undefined;
  } while (cursor !== undefined);
  return found.toSorted((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
}

/** The key of the set with an id from a caller. Throws "NotFound" if the id is not a hash. */
function keyOf(id: string): string {
  if (hashSchema.safeParse(id).success) return objectKey("lesson-set", id);
  throw namedError("NotFound", `lessons: expected the id of a lesson set, got ${id}`);
}

/** Throws "NotFound". */
export async function getLessons(env: TokenizerEnv, id: string): Promise<LessonSetDetail> {
  const object = await env.ARTIFACTS.head(keyOf(id));
  if (object === null) throw namedError("NotFound", `lessons: expected the id of a lesson set, got ${id}`);
  const set = await readSet(env, id);
  const [conversations, labelled] = "labelled" in set ? [[], set.labelled] : [set.conversations, []];
  return {
    id,
    bytes: object.size,
    createdAt: object.uploaded.toISOString(),
    conversations: conversations.length,
    labelled: labelled.length,
    heldOut: heldOutOf(set).filter(Boolean).length,
    examples: conversations.slice(0, MAX_EXAMPLES_SHOWN),
    labelledExamples: labelled.slice(0, MAX_EXAMPLES_SHOWN),
    labels: labelsOf(labelled),
  };
}

function readSet(env: TokenizerEnv, id: Hash): Promise<LessonSet | LabelledSet> {
  return missingAsNotFound(getJson(env.ARTIFACTS, "lesson-set", id, anySetSchema));
}

/** A set of conversations. Throws "NotFound", or "InvalidInput" for a labelled set. */
export async function readConversations(env: TokenizerEnv, id: Hash): Promise<LessonSet> {
  const set = await readSet(env, id);
  if ("conversations" in set) return set;
  throw namedError("InvalidInput", "lessons: expected conversations, got labelled texts; take objective classify");
}

/** A set of labelled texts. Throws "NotFound", or "InvalidInput" for a set of conversations. */
export async function readLabelled(env: TokenizerEnv, id: Hash): Promise<LabelledSet> {
  const set = await readSet(env, id);
  if ("labelled" in set) return set;
  throw namedError("InvalidInput", "lessons: expected labelled texts for objective classify, got conversations");
}

/** Deletes a set. Datasets and models that were made from the set stay. Throws "NotFound". */
export async function deleteLessons(env: TokenizerEnv, id: string): Promise<void> {
  const key = keyOf(id);
  if ((await env.ARTIFACTS.head(key)) === null) throw namedError("NotFound", `lessons: expected the id of a lesson set, got ${id}`);
  await env.ARTIFACTS.delete(key);
}
