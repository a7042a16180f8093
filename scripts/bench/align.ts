/**
 * `npm run bench -- align --data FILE [--pretrain TOKENS] [--epochs N] [--poison] [--json]`: a model learns politeness from pairs of answers.
 *
 * The pairs are {instruction, input, output, chosen, rejected}: preference-data.json of rasbt/LLMs-from-scratch, chapter 7. A model
 * that was pretrained as in `npm start` learns the neutral answers (sft), a reward model and a preference-trained model come out of the
 * pairs, all by the product's own objectives in rounds of two shards, as in a run; here one shard follows the other. One instruction in
 * five is held out. A judge without a network (support/align/politeness.ts) compares the answers that are sampled on held-out
 * instructions: one of sft, the best of three of sft by the reward model, and one of the preference-trained model. With --poison, two
 * more models learn from pairs of which 5 % are the wrong way round, and all; the gate judges each.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Print } from "../cli/runner.ts";
import { ROOT } from "../local/workers.ts";
import "./support/tensors-in-node.ts";

export const FLAGS = {
  data: "",
  pretrain: 1_500_000,
  base: "",
  sftEpochs: 3,
  sftLr: 0.25,
  rewardEpochs: 5,
  rewardLr: 0.15,
  objective: "dpo",
  epochs: 3,
  lr: 0.05,
  poison: false,
  samples: 200,
  seed: 1,
};

export async function run(flags: typeof FLAGS, print: Print): Promise<Record<string, unknown>> {
  if (flags.data === "") throw new Error("align: expected --data FILE, a JSON list of {instruction, input, output, chosen, rejected}");
  // These imports come after tensors-in-node.ts, which lets Node import kernels.
  const { readBase, trainBase } = await import("./support/lessons/base.ts");
  const { align } = await import("./support/align/align.ts");
  const folder = flags.base === "" ? join(ROOT, ".tiffin", "bench", `lessons-${flags.pretrain}`) : flags.base;
  if (flags.base === "" && !existsSync(join(folder, "checkpoints"))) await trainBase(folder, flags.pretrain, print);
  return align(readBase(folder), folder, flags, print);
}
