/**
 * What a run teaches. An objective says where its examples lie in a dataset, how they become a batch, which loss stands at the
 * network's end, and which numbers an evaluation shows. Tasks, leases, rounds, passes and optimizers are the same for all.
 *
 * An example is a record in one of the dataset's two streams of 16-bit numbers. The objective gives the numbers their meaning.
 */
import type { Dataset, DatasetKind } from "../../artifacts.ts";
import type { ModelConfig, ObjectiveName } from "../../config.ts";
import { namedError } from "../../errors.ts";
import type { Batch, LossHead } from "../../model/backward/pass.ts";

export interface Objective {
  name: ObjectiveName;
  /** The kind of dataset that it reads. */
  datasetKind: DatasetKind;
  examples: Examples;
  lossHead: LossHead;
  /** A round diverges when its loss is above `ratio` times the mean of the rounds before it, or times `floor` if that is higher. */
  spike: { ratio: number; floor: number };
  /** Numbers that a run shows beside its best validation loss, which is null before the first evaluation. */
  metrics(valLoss: number | null, dataset: Dataset): Metrics;
}

/** Null where a dataset does not have the number. */
export interface Metrics {
  /** Losses of the baselines on the validation targets. */
  unigramLoss: number | null;
  trigramLoss: number | null;
  bitsPerByte: number | null;
}

/** Records of a stream as examples. Pure: a task reads the same examples wherever it runs. */
export interface Examples {
  /** Tokens that an example counts in a run's budget. */
  tokens(model: ModelConfig): number;
  /** Examples in a training stream; `stream` is its length in numbers. */
  trainingCount(stream: number, model: ModelConfig): number;
  /** Examples in a validation stream; the last one may be shorter than a record. */
  validationCount(stream: number, model: ModelConfig): number;
  /** Numbers of a record. */
  recordLength(model: ModelConfig): number;
  /** Where the record of an example begins in its stream. */
  recordStart(example: number, model: ModelConfig): number;
  /** Records in their order as a batch. */
  batch(records: readonly Uint16Array[], model: ModelConfig): Batch;
  /**
   * The sum of `lossHead.weightOf` over the validation examples whose number is `slice` modulo `slices`. The coordinator checks
   * evaluations by it; null when it does not follow from the length of the stream.
   */
  validationWeight(stream: number, slice: { slice: number; slices: number }, model: ModelConfig): number | null;
}

/** Throws InvalidInput when an objective cannot read a dataset for a model. */
export function checkKind({ name, datasetKind }: Objective, { kind, context }: Dataset, model: ModelConfig): void {
  if (kind !== datasetKind)
    throw namedError("InvalidInput", `dataset: expected one of kind ${datasetKind} for objective ${name}, got one of kind ${kind}`);
  if (context !== undefined && context !== model.context)
    throw namedError(
      "InvalidInput",
      `dataset: expected records for the ${model.context} positions of the model, got records for ${context}`,
    );
}
