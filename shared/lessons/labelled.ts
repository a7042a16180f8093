/**
 * Labelled lessons as the records of a classify dataset. A record has LABELLED_RECORD numbers: the index of the label, the number
 * of features, and the features (features.ts), padded with zeros.
 */
import { z } from "zod";
import { MAX_LABEL_LENGTH } from "../network-config.ts";
import { contextSchema } from "./context.ts";
import { featuresOf, MAX_FEATURES } from "./features.ts";

/** Characters of a text that a classifier reads. */
export const MAX_LABELLED_TEXT = 4000;

/** A text in its context, and the label that a classifier learns for it. */
export const labelledLessonSchema = z.object({
  text: z.string().max(MAX_LABELLED_TEXT),
  context: contextSchema,
  label: z.string().min(1).max(MAX_LABEL_LENGTH),
});
export type LabelledLesson = z.infer<typeof labelledLessonSchema>;

/** A set of labelled lessons. It is stored like a set of conversations. */
export const labelledSetSchema = z.object({ format: z.literal(1), labelled: z.array(labelledLessonSchema).min(1) });
export type LabelledSet = z.infer<typeof labelledSetSchema>;

/** Numbers of a record. */
export const LABELLED_RECORD = MAX_FEATURES + 2;

/** All labels of a set, in the order of their characters. A record holds an index of this list. */
export const labelsOf = (lessons: readonly LabelledLesson[]): string[] => [...new Set(lessons.map(({ label }) => label))].toSorted();

/** Encodes lessons as consecutive records. */
export function labelledRecords(lessons: readonly LabelledLesson[], labels: readonly string[]): Uint16Array {
  const places = new Map(labels.map((label, index) => [label, index]));
  const numbers = new Uint16Array(lessons.length * LABELLED_RECORD);
  for (const [index, { text, context, label }] of lessons.entries()) {
    const hashes = featuresOf(text, context).map(({ hash }) => hash);
    numbers.set([places.get(label)!, hashes.length, ...hashes], index * LABELLED_RECORD);
  }
  return numbers;
}

/** The mean loss, in nats per lesson, of a model that only counts the labels of `trained`, with one added to each count. */
export function countingLoss(trained: readonly LabelledLesson[], validated: readonly LabelledLesson[], labels: readonly string[]): number {
  const counts = new Map(labels.map((label) => [label, 1]));
  for (const { label } of trained) counts.set(label, counts.get(label)! + 1);
  const total = trained.length + labels.length;
  return validated.reduce((sum, { label }) => sum - Math.log(counts.get(label)! / total), 0) / validated.length;
}
