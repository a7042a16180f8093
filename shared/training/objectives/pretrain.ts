/**
 * Pretraining: predict each token from the tokens before it. An example is a window of `context` + 1 tokens: the inputs are all
 * but the last token, the labels all but the first. Neighbouring windows share one token: the last label of a window is the
 * first input of the next. The last validation window may be short; its missing labels are ignored.
 */
import { crossEntropyHead } from "../../model/backward/cross-entropy-head.ts";
import type { Examples, Objective } from "./objective.ts";

/** The number of targets: every token except the first is the label of exactly one window. */
const targetsOf = (stream: number) => Math.max(0, stream - 1);

const examples: Examples = {
  tokens: ({ context }) => context,
  trainingCount: (stream, { context }) => Math.floor(targetsOf(stream) / context),
  validationCount: (stream, { context }) => Math.ceil(targetsOf(stream) / context),
  recordLength: ({ context }) => context + 1,
  recordStart: (example, { context }) => example * context,
  batch(records, { context }) {
    const inputs = new Int32Array(records.length * context);
    const labels = new Int32Array(records.length * context).fill(-1);
    for (const [index, tokens] of records.entries()) {
      inputs.set(tokens.subarray(0, context), index * context);
      labels.set(tokens.subarray(1), index * context);
    }
    return { inputs, labels, sequences: records.length };
  },
  validationWeight(stream, { slice, slices }, { context }) {
    const targets = targetsOf(stream);
    let sum = 0;
    for (let first = slice * context; first < targets; first += slices * context) sum += Math.min(context, targets - first);
    return sum;
  },
};

export const pretrain: Objective = {
  name: "pretrain",
  datasetKind: "pretrain",
  examples,
  lossHead: crossEntropyHead,
  epochs: null,
  spike: { ratio: 1.5, floor: 0 },
  metrics(valLoss, { valTokens, valBytes, unigramLoss = null, trigramLoss = null }) {
    const bits = valLoss === null ? null : (valLoss * (valTokens - 1)) / Math.LN2;
    return { unigramLoss, trigramLoss, bitsPerByte: bits === null || valBytes === 0 ? null : bits / valBytes };
  },
};
