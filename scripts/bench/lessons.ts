/**
 * `npm run bench -- lessons [--lessons N] [--replay SHARE] [--lr FACTOR] [--adam FACTOR] [--batch N] [--pretrain TOKENS]
 * [--base FOLDER] [--json]`: how well the default model learns the lessons of scripts/lessons, and how much it forgets.
 *
 * The bench runs in plain Node on the product's own functions. As in a run, lessons are encoded, trained in rounds of two
 * shards and reduced; here one shard follows the other. The defaults are those of a run and of `npm start`. The default model
 * is trained first, on --pretrain tokens, unless .tiffin/bench has it or --base names another model. The questions use phrasings and
 * contexts that are in no lesson; the candidates are all answers of the question's family.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Print } from "../cli/runner.ts";
import { ROOT } from "../local/workers.ts";
import "./support/tensors-in-node.ts";

export const FLAGS = { lessons: 5000, replay: 0.12, lr: 0.25, adam: 0.25, batch: 8, seed: 1, pretrain: 1_500_000, base: "" };

export async function run(flags: typeof FLAGS, print: Print): Promise<Record<string, unknown>> {
  // These imports come after tensors-in-node.ts, which lets Node import kernels.
  const { readBase, trainBase } = await import("./support/lessons/base.ts");
  const { teach } = await import("./support/lessons/teach.ts");
  const { examine } = await import("./support/lessons/examine.ts");
  const folder = flags.base === "" ? join(ROOT, ".tiffin", "bench", `lessons-${flags.pretrain}`) : flags.base;
  if (flags.base === "" && !existsSync(join(folder, "checkpoints"))) await trainBase(folder, flags.pretrain, print);
  const base = readBase(folder);
  const { taught, seconds, positions, pretrainValLossBefore, pretrainValLossAfter } = await teach(base, flags, print);
  const exam = examine(taught, print);
  return { ...exam, pretrainValLossBefore, pretrainValLossAfter, positions, seconds };
}
