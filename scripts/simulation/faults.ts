/** The faults that histories draw, with their numbers in the reliability design, and the spoilt messages of T10. */
import type { Submission } from "../../shared/training/protocol/task.ts";
import { nameOf } from "./world.ts";

export const FAULTS = [
  "T2",
  "T3",
  "T4",
  "T5",
  "T6",
  "T7",
  "T8",
  "T9",
  "T10",
  "T11",
  "T12",
  "T13",
  "T14",
  "T15",
  "T17",
  "T19",
  "T20",
  // Two versions of the arithmetic at once, during a deployment.
  "T21",
  // A trainer fails and gives its task back.
  "T22",
] as const;
export type Fault = (typeof FAULTS)[number];

/** T10: misplaced or malformed variants of a submission. Each must be refused and change no result. */
export function spoilt(submission: Submission, shards: number): Submission[] {
  const { result } = submission;
  const misplaced: Submission[] = [
    { ...submission, run: "other" },
    { ...submission, base: nameOf("old base") },
    { ...submission, shard: shards },
    { ...submission, lease: "never given" },
  ];
  if (result.kind !== "train") return [...misplaced, { ...submission, result: { ...result, lossSum: 0, targets: 1e9 } }];
  return [
    ...misplaced,
    { ...submission, result: { ...result, delta: ["../x"] } },
    { ...submission, result: { ...result, sequences: 1000 } },
    { ...submission, result: { ...result, loss: Infinity } },
  ];
}
