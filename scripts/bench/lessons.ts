/**
 * `npm run bench -- lessons [--lessons N] [--replay SHARE] [--lr FACTOR] [--adam FACTOR] [--batch N] [--base FOLDER] [--json]`: what the lessons
 * of scripts/lessons teach the default model, and what it forgets.
 *
 * Runs in plain Node on the product's own functions: lessons are encoded, trained in rounds of two shards and reduced as in a
 * run, one shard after the other. The defaults are those of a run and of `npm start`. Trains the default model first unless .tiffin/bench/lessons has it or --base names another
 * one. Questions and contexts that no lesson shows are asked with all answers of their family as candidates.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Print } from "../cli/runner.ts";
import { ROOT } from "../local/workers.ts";
import "./support/tensors-in-node.ts";

export const FLAGS = { lessons: 5000, replay: 0.12, lr: 0.25, adam: 0.25, batch: 8, seed: 1, base: "" };

export async function run(flags: typeof FLAGS, print: Print): Promise<Record<string, unknown>> {
  // Only now, when Node can import kernels.
  const { readBase, trainBase } = await import("./support/lessons/base.ts");
  const { teach } = await import("./support/lessons/teach.ts");
  const { examine } = await import("./support/lessons/examine.ts");
  const folder = flags.base === "" ? join(ROOT, ".tiffin", "bench", "lessons") : flags.base;
  if (flags.base === "" && !existsSync(join(folder, "checkpoints"))) await trainBase(folder, print);
  const base = readBase(folder);
  const { taught, seconds, positions, pretrainValLossBefore, pretrainValLossAfter } = await teach(base, flags, print);
  const exam = examine(taught, print);
  return { ...exam, pretrainValLossBefore, pretrainValLossAfter, positions, seconds };
}
