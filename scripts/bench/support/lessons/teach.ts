/** The lessons stage of a run: draws and encodes lessons, and trains a base model on them. */
import { presetOf, supervisionConfigSchema, type TrainingConfig } from "../../../../shared/config.ts";
import { encodeConversations, encodePieces, pieceStart, replayRecords } from "../../../../shared/lessons/encode.ts";
import { heldOutLessons, parseLessons } from "../../../../shared/lessons/lesson-set.ts";
import { lossSum } from "../../../../shared/model/backward/loss.ts";
import { decodeParts } from "../../../../shared/model/formats/weights-file.ts";
import type { Weights } from "../../../../shared/model/weights.ts";
import { startBackend } from "../../../../shared/tensor/engine/backend.ts";
import { totalRounds } from "../../../../shared/training/compute/rounds.ts";
import { pretrain } from "../../../../shared/training/objectives/pretrain.ts";
import { sft } from "../../../../shared/training/objectives/sft.ts";
import type { Print } from "../../../cli/runner.ts";
import { drawLessons } from "../../../lessons/lessons.ts";
import { Loop } from "../../workers/diloco/loop.ts";
import type { BaseModel } from "./base.ts";
import type { Taught } from "./scores.ts";

const PRESET = "small";
const REPORT_SECONDS = 30;
const EVALUATION_BATCH = 8;

export interface TeachSettings {
  lessons: number;
  replay: number;
  /** Factors on the preset's learning rates. `lr` is for hidden matrices, `adam` for embeddings, head and vectors. */
  lr: number;
  adam: number;
  batch: number;
  seed: number;
}

export interface Lesson {
  taught: Taught;
  seconds: number;
  /** Positions that were computed, including padding. */
  positions: number;
  pretrainValLossBefore: number;
  pretrainValLossAfter: number;
}

export async function teach(base: BaseModel, settings: TeachSettings, print: Print): Promise<Lesson> {
  await startBackend();
  const { model, tokenizer } = base;
  const { context } = model;
  const text = drawLessons(settings.seed, settings.lessons)
    .map((lesson) => JSON.stringify(lesson))
    .join("\n");
  const { conversations, refusedLines } = parseLessons(text);
  const heldOut = heldOutLessons({ conversations });
  if (refusedLines > 0 || heldOut === null) throw new Error(`lessons: expected no refused lines, got ${refusedLines}`);
  const encoded = encodeConversations(tokenizer, { conversations }, heldOut, [0, conversations.length], context);
  const pieces = replayRecords(heldOut.filter((isHeldOut) => !isHeldOut).length, settings.replay);
  const starts = Array.from({ length: pieces }, (_, index) => pieceStart(index, pieces, base.train.length, encoded.longest));
  const replay = encodePieces(
    starts.map((start) => base.train.subarray(start, start + encoded.longest)),
    context,
  );
  const train = Uint16Array.from([...encoded.train, ...replay]);

  const usual = presetOf(PRESET).training;
  const records = sft.examples.trainingCount(train.length, model);
  if (usual.optimizer.name !== "muon") throw new Error(`preset ${PRESET}: expected muon, got ${usual.optimizer.name}`);
  const { lr, adamLr } = usual.optimizer;
  const optimizer = { ...usual.optimizer, lr: lr * settings.lr, adamLr: adamLr * settings.adam };
  const teaching = { objective: "sft", optimizer, batch: settings.batch, seed: settings.seed } as const;
  const training: TrainingConfig = { ...usual, ...teaching, tokens: records * context };
  const rounds = totalRounds(training, model);
  const supervision = supervisionConfigSchema.parse({});
  const named = { run: "lessons", preset: PRESET, dataset: base.dataset, tokenizer: base.tokenizerHash };
  const loop = await Loop.beginFrom({ ...named, model, training, supervision, rounds }, base.parts, 1, train, encoded.val);
  const before = validationLoss(base, decodeParts(base.parts));
  const steps = rounds * training.steps * training.shards;
  print(`${conversations.length} lessons, ${pieces} pieces of text, ${rounds} rounds; longest ${encoded.longest} tokens`);
  const startedAt = Date.now();
  for (let done = 0; done < rounds;) {
    const { round, loss, valLoss } = await loop.advance(REPORT_SECONDS);
    done = round;
    print(
      `round ${round} of ${rounds}, loss ${loss.toFixed(3)}${valLoss === null ? "" : `, validation ${valLoss.toFixed(3)} nats per answer`}`,
    );
  }
  const seconds = (Date.now() - startedAt) / 1000;
  const weights = decodeParts(await loop.parts());
  const after = validationLoss(base, weights);
  const taught = { model, weights, tokenizer };
  return {
    taught,
    seconds,
    positions: steps * training.batch * encoded.longest,
    pretrainValLossBefore: before,
    pretrainValLossAfter: after,
  };
}

/** The validation loss on the pretraining text, in nats per token. */
function validationLoss({ model, val }: BaseModel, weights: Weights): number {
  const { examples, lossHead } = pretrain;
  const count = examples.validationCount(val.length, model);
  let [sum, targets] = [0, 0];
  for (let first = 0; first < count; first += EVALUATION_BATCH) {
    const records = Array.from({ length: Math.min(EVALUATION_BATCH, count - first) }, (_, index) => {
      const start = examples.recordStart(first + index, model);
      return val.subarray(start, start + examples.recordLength(model));
    });
    const part = lossSum(weights, model, examples.batch(records, model), lossHead);
    sum += part.lossSum;
    targets += part.targets;
  }
  return sum / targets;
}
