/** The stages of alignment in order, and what each of them has learned. */
import { basename, join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { OBJECTIVE_NAMES, type ModelConfig, type ObjectiveName } from "../../../../shared/config.ts";
import { conversationRecord } from "../../../../shared/lessons/records.ts";
import { decodeParts } from "../../../../shared/model/formats/weights-file.ts";
import type { Weights } from "../../../../shared/model/weights.ts";
import { judge as judgeGate } from "../../../../shared/preferences/gate.ts";
import { pairRecords } from "../../../../shared/preferences/records.ts";
import { marginsOf, recordsOf, writeReferences } from "../../../../shared/preferences/reference.ts";
import { scoredModel, withScore } from "../../../../shared/preferences/scored-model.ts";
import { startBackend } from "../../../../shared/tensor/engine/backend.ts";
import { reward, scoredBatch, scoresOf } from "../../../../shared/training/objectives/reward.ts";
import type { Print } from "../../../cli/runner.ts";
import { ROOT } from "../../../local/workers.ts";
import type { BaseModel } from "../lessons/base.ts";
import { mean } from "../statistics.ts";
import { answersTo } from "./answers.ts";
import { lessonStream, readPairs } from "./pairs.ts";
import { trainJudge, winRate } from "./politeness.ts";
import { keptStage, runStage } from "./stage.ts";

export interface AlignSettings {
  data: string;
  sftEpochs: number;
  sftLr: number;
  rewardEpochs: number;
  rewardLr: number;
  objective: string;
  epochs: number;
  lr: number;
  /** True to also train on pairs of which some, and all, are the wrong way round. */
  poison: boolean;
  samples: number;
  seed: number;
}

/** Multiples of the golden ratio are spread evenly over the unit interval. */
const GOLDEN = 0.618033988749895;

const lengthOf = (answers: readonly string[]) => mean(answers.map(({ length }) => length));

/** The share of held-out pairs that a model wins against its reference, and what the gate says about it. */
function gateOf(weights: Weights, model: ModelConfig, heldOut: Uint16Array) {
  const margins = marginsOf(weights, model, heldOut);
  const wins = margins.filter((margin) => margin > 0).length;
  const { passes, chance } = judgeGate({ pairs: margins.length, wins, heldOut: null, canaries: null });
  return { accuracy: winRate(margins), passes, chance };
}

/** `folder`: where the base model is. The model that learned the neutral answers is kept beside it. */
export async function align(base: BaseModel, folder: string, settings: AlignSettings, print: Print) {
  await startBackend();
  const { model, tokenizer } = base;
  const { context } = model;
  const objective = OBJECTIVE_NAMES.find((name): name is ObjectiveName => name === settings.objective);
  if (objective === undefined) throw new Error(`--objective: expected one of ${OBJECTIVE_NAMES.join(", ")}, got ${settings.objective}`);
  const { train, heldOut, tooLong } = readPairs(settings.data, tokenizer, context);
  print(`${train.length} pairs to learn, ${heldOut.length} held out, ${tooLong} longer than the context`);
  const { seed } = settings;

  const lessons = [train, heldOut].map((side) => lessonStream(tokenizer, side, context)) as [Uint16Array, Uint16Array];
  const started = decodeParts(base.parts);
  const sftStage = { objective: "sft", epochs: settings.sftEpochs, lr: settings.sftLr, seed } as const;
  const kept = join(ROOT, ".tiffin", "bench", `align-sft-${basename(folder)}-${settings.sftEpochs}-${settings.sftLr}-${seed}`);
  const sft = await keptStage(kept, base, { model, weights: started }, lessons, sftStage, print);
  tf.dispose(started);

  const judge = trainJudge(train);
  const pairs = [train, heldOut].map((side) => pairRecords(tokenizer, side, context)) as [Uint16Array, Uint16Array];
  const scored = scoredModel(model);
  const first = withScore(sft.weights, model);
  const rewardStage = { objective: "reward", epochs: settings.rewardEpochs, lr: settings.rewardLr, seed } as const;
  const rewards = await runStage(base, { model: scored, weights: first }, pairs, rewardStage, print);
  tf.dispose(first);
  const differences = recordsOf(pairs[1], context).map((record) => {
    const [better, worse] = scoresOf(rewards.weights, scored, reward.examples.batch([record], scored));
    return better! - worse!;
  });
  const rewardAccuracy = winRate(differences);
  // The mean of what the reward model believes about each pair. It is calibrated if this equals its accuracy.
  const rewardConfidence = mean(differences.map((each) => 1 / (1 + Math.exp(-Math.abs(each)))));
  print(`reward: right in ${(100 * rewardAccuracy).toFixed(1)} % of held-out pairs, sure of ${(100 * rewardConfidence).toFixed(1)} %`);

  for (const side of pairs) writeReferences(sft.weights, model, side);
  const dpoAccuracyBefore = winRate(marginsOf(sft.weights, model, pairs[1]));
  const preferred = await runStage(
    base,
    { model, weights: sft.weights },
    pairs,
    { objective, epochs: settings.epochs, lr: settings.lr, seed },
    print,
  );
  const { accuracy: dpoAccuracy, ...gate } = gateOf(preferred.weights, model, pairs[1]);
  print(`${objective}: right in ${(100 * dpoAccuracy).toFixed(1)} % of held-out pairs`);

  const poisoned: object[] = [];
  for (const flipped of settings.poison ? [0.05, 1] : []) {
    const votes = train.map((pair, index) => ((index * GOLDEN) % 1 < flipped ? { ...pair, better: pair.worse, worse: pair.better } : pair));
    const poison = pairRecords(tokenizer, votes, context);
    writeReferences(sft.weights, model, poison);
    const stage = { objective, epochs: settings.epochs, lr: settings.lr, seed };
    const { weights } = await runStage(base, { model, weights: sft.weights }, [poison, pairs[1]], stage, print);
    poisoned.push({ flipped, ...gateOf(weights, model, pairs[1]) });
    tf.dispose(weights);
  }

  const judgeAccuracy = mean(heldOut.map(({ better, worse }) => (judge.score(better) > judge.score(worse) ? 1 : 0)));
  const questions = heldOut.slice(0, settings.samples);
  const sample = (weights: Weights, count: number, firstSeed: number) =>
    answersTo({ model, weights, tokenizer }, questions, count, firstSeed);
  const plain = sample(sft.weights, 1, 1000 * seed).map(([answer]) => answer!);
  // Other seeds than those of the plain answers, so that the best of three is no better by having the plain answer among its own.
  const three = sample(sft.weights, 3, 1000 * seed + 100);
  const best = questions.map(({ messages }, index) => {
    const records = three[index]!.map((content) => conversationRecord(tokenizer, [...messages, { role: "assistant", content }], context));
    const scores = scoresOf(rewards.weights, scored, scoredBatch(records, context));
    return three[index]![scores.indexOf(Math.max(...scores))]!;
  });
  const trained = sample(preferred.weights, 1, 1000 * seed).map(([answer]) => answer!);
  const against = (answers: readonly string[]) => winRate(answers.map((answer, index) => judge.score(answer) - judge.score(plain[index]!)));
  for (let index = 0; index < Math.min(6, questions.length); index++)
    print(
      `> ${questions[index]!.messages[0]!.content}\n  sft: ${plain[index]}\n  best of 3: ${best[index]}\n  ${objective}: ${trained[index]}`,
    );
  tf.dispose([sft.weights, rewards.weights, preferred.weights]);
  return {
    pairs: train.length,
    heldOut: heldOut.length,
    sftLoss: sft.valLoss,
    rewardAccuracy,
    rewardConfidence,
    dpoAccuracyBefore,
    dpoAccuracy,
    judgeAccuracy,
    winRateBestOf3: against(best),
    winRateBestOf3ByChance: against(three.map(([answer]) => answer!)),
    winRateDpo: against(trained),
    gate,
    poisoned,
    lengths: { sft: lengthOf(plain), bestOf3: lengthOf(best), dpo: lengthOf(trained) },
  };
}
