/** One stage of alignment: a run of some objective that begins with given weights, in a plain loop. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { presetOf, supervisionConfigSchema, type ModelConfig, type ObjectiveName, type TrainingConfig } from "../../../../shared/config.ts";
import { decodeParts, encodeParts } from "../../../../shared/model/formats/weights-file.ts";
import type { Weights } from "../../../../shared/model/weights.ts";
import { totalRounds } from "../../../../shared/training/compute/rounds.ts";
import { objectiveOf } from "../../../../shared/training/objectives/list.ts";
import type { Print } from "../../../cli/runner.ts";
import { Loop } from "../../workers/diloco/loop.ts";
import type { BaseModel } from "../lessons/base.ts";

const PRESET = "small";
const REPORT_SECONDS = 30;

export interface StageSettings {
  objective: ObjectiveName;
  epochs: number;
  /** Factor on the preset's learning rates. */
  lr: number;
  seed: number;
}

/** Like `runStage`. A result that is in the folder is read from there; a new one is written to it. */
export async function keptStage(folder: string, ...stage: Parameters<typeof runStage>): ReturnType<typeof runStage> {
  const lossFile = join(folder, "valLoss");
  if (existsSync(lossFile)) {
    const names = readdirSync(folder).filter((name) => name !== "valLoss");
    const parts = names.toSorted((a, b) => Number(a) - Number(b)).map((name) => new Uint8Array(readFileSync(join(folder, name))));
    return { weights: decodeParts(parts), valLoss: Number(readFileSync(lossFile, "utf8")) };
  }
  const result = await runStage(...stage);
  mkdirSync(folder, { recursive: true });
  for (const [index, bytes] of [...encodeParts(stage[1].model, result.weights)].entries())
    writeFileSync(join(folder, String(index)), bytes);
  // Written last, so a folder with a loss is complete.
  writeFileSync(lossFile, String(result.valLoss));
  return result;
}

/** Trains for some epochs. Returns new weights, which the caller disposes, and the loss on the validation examples. */
export async function runStage(
  base: Pick<BaseModel, "dataset" | "tokenizerHash">,
  { model, weights }: { model: ModelConfig; weights: Weights },
  [train, val]: readonly [train: Uint16Array, val: Uint16Array],
  { objective, epochs, lr, seed }: StageSettings,
  print: Print,
): Promise<{ weights: Weights; valLoss: number }> {
  const usual = presetOf(PRESET).training;
  if (usual.optimizer.name !== "muon") throw new Error(`preset ${PRESET}: expected muon, got ${usual.optimizer.name}`);
  const optimizer = { ...usual.optimizer, lr: usual.optimizer.lr * lr, adamLr: usual.optimizer.adamLr * lr };
  const { examples } = objectiveOf({ objective });
  const count = examples.trainingCount(train.length, model);
  const tokens = Math.round(count * epochs) * examples.tokens(model);
  const training: TrainingConfig = { ...usual, objective, optimizer, seed, tokens };
  const rounds = totalRounds(training, model);
  const named = { run: objective, preset: PRESET, dataset: base.dataset, tokenizer: base.tokenizerHash };
  const supervision = supervisionConfigSchema.parse({});
  const loop = await Loop.beginFrom({ ...named, model, training, supervision, rounds }, [...encodeParts(model, weights)], 1, train, val);
  for (;;) {
    const { round, loss, valLoss } = await loop.advance(REPORT_SECONDS);
    print(
      `${objective}: round ${round} of ${rounds}, loss ${loss.toFixed(3)}${valLoss === null ? "" : `, validation ${valLoss.toFixed(3)}`}`,
    );
    if (valLoss !== null) return { weights: decodeParts(await loop.parts()), valLoss };
  }
}
