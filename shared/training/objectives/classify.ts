/**
 * Classification: the label of a text in its context, from hashed features (lessons/features.ts). The network is dense, not the
 * decoder. An example is one lesson: a record of MAX_FEATURES + 2 numbers, which are the index of the label, the number of
 * features, the features, and zeros. An example takes one token of the run's budget.
 */
import type { NetworkConfig } from "../../network-config.ts";
import { asDense } from "../../network-kind.ts";
import { inputsOf, MAX_FEATURES } from "../../lessons/features.ts";
import { LABELLED_RECORD } from "../../lessons/labelled.ts";
import { denseLoss, NO_FEATURE } from "../../model/dense/loss.ts";
import type { Examples, Objective } from "./objective.ts";
import { HIGH_SPIKE, noMetrics, recordExamples } from "./records.ts";

/** How often a run reads each lesson. More often, it learns the chance in uncertain labels (scripts/bench/README.md). */
const EPOCHS = 5;
/** A run on few lessons reads them more often: 400 steps of a batch of 64. */
const MIN_EXAMPLES = 25_600;

const examples: Examples<NetworkConfig> = {
  ...recordExamples(() => LABELLED_RECORD),
  tokens: () => 1,
  batch(records, model) {
    const { features } = asDense(model);
    const inputs = new Int32Array(records.length * MAX_FEATURES).fill(NO_FEATURE);
    const labels = new Int32Array(records.length);
    for (const [index, record] of records.entries()) {
      labels[index] = record[0]!;
      inputs.set(inputsOf(record.subarray(2, 2 + record[1]!), features), index * MAX_FEATURES);
    }
    return { inputs, labels, sequences: records.length };
  },
};

export const classify: Objective<NetworkConfig> = {
  name: "classify",
  datasetKind: "classify",
  examples,
  lossHead: denseLoss,
  epochs: (count) => Math.max(EPOCHS, Math.ceil(MIN_EXAMPLES / count)),
  spike: HIGH_SPIKE,
  metrics: (_, { unigramLoss = null }) => ({ ...noMetrics(), unigramLoss }),
};
