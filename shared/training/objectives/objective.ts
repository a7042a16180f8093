/**
 * A training objective defines four things: where examples are in a dataset, how examples become a batch, which loss head the
 * network has, and which numbers an evaluation shows. Tasks, leases, rounds, passes and optimizers do not depend on the
 * objective.
 *
 * A dataset has two streams of 16-bit numbers (training and validation). An example is a record in a stream. The objective gives
 * the numbers their meaning.
 */
import type { Dataset, DatasetKind } from "../../artifacts.ts";
import type { ModelConfig, ObjectiveName } from "../../config.ts";
import type { NetworkConfig } from "../../network-config.ts";
import { isDense } from "../../network-kind.ts";
import { namedError } from "../../errors.ts";
import type { Batch, Loss } from "../../model/backward/pass.ts";

/** `M` is the network that the objective trains. */
export interface Objective<M extends NetworkConfig = ModelConfig> {
  name: ObjectiveName;
  /** The kind of dataset that the objective reads. */
  datasetKind: DatasetKind;
  examples: Examples<M>;
  /** For a decoder, the loss head; for another network, a loss that runs the network. */
  lossHead: Loss;
  /** How often a run reads its `examples` training examples if its request states no tokens; null for the tokens of its preset. */
  epochs: ((examples: number) => number) | null;
  /** Divergence limit for a round's loss: `ratio` times the mean loss of recent rounds, where the mean counts as at least `floor`. */
  spike: { ratio: number; floor: number };
  /** Numbers that a run shows beside its best validation loss. `valLoss` is null before the first evaluation. */
  metrics(valLoss: number | null, dataset: Dataset): Metrics;
}

/** A number is null if the dataset does not provide it. */
export interface Metrics {
  /** Losses of the baselines on the validation targets. */
  unigramLoss: number | null;
  trigramLoss: number | null;
  bitsPerByte: number | null;
}

/** How the records of a stream become examples. Pure functions, so every machine reads the same examples for a task. */
export interface Examples<M extends NetworkConfig = ModelConfig> {
  /** Tokens that an example takes from the run's token budget. */
  tokens(model: M): number;
  /** Number of examples in a training stream of `stream` numbers. */
  trainingCount(stream: number, model: M): number;
  /** Number of examples in a validation stream of `stream` numbers. The last example may be shorter than a record. */
  validationCount(stream: number, model: M): number;
  /** Numbers per record. */
  recordLength(model: M): number;
  /** Position in the stream of the first number of an example. */
  recordStart(example: number, model: M): number;
  /** Converts records to a batch, in the given order. */
  batch(records: readonly Uint16Array[], model: M): Batch;
  /**
   * The expected number of targets in an evaluation result: the sum of `lossHead.weightOf` over the validation examples whose
   * index modulo `slices` is `slice`. The coordinator refuses results with another number. Null if the length of the stream does
   * not determine the number.
   */
  validationWeight(stream: number, slice: { slice: number; slices: number }, model: M): number | null;
}

/** Throws InvalidInput if the objective cannot use this dataset for this model. */
export function checkKind(
  { name, datasetKind }: Pick<Objective, "name" | "datasetKind">,
  { kind, context, labels }: Dataset,
  model: NetworkConfig,
): void {
  if (kind !== datasetKind)
    throw namedError("InvalidInput", `dataset: expected kind ${datasetKind} for objective ${name}, got kind ${kind}`);
  if (isDense(model)) {
    if (labels?.join("\n") !== model.labels.join("\n"))
      throw namedError(
        "InvalidInput",
        `dataset: expected the ${model.labels.length} labels of the model, got ${labels?.length ?? "no"} labels or others`,
      );
  } else if (labels !== undefined) throw namedError("InvalidInput", `dataset: expected text for a decoder, got ${labels.length} labels`);
  else if (context !== undefined && context !== model.context)
    throw namedError(
      "InvalidInput",
      `dataset: expected records for the ${model.context} positions of the model, got records for ${context}`,
    );
}
