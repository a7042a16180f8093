/** Makes a tick from a run's status. A tick is a status in a few hundred bytes. */
import type { Dataset } from "../../shared/artifacts.ts";
import type { RunStatus, RunTick } from "../../shared/contracts/runs.ts";

/** Trainers that have been silent for longer than this are not counted. */
const SILENT_SECONDS = 60;

export function tickOf(status: RunStatus, dataset: Dataset | null): RunTick {
  const { id, state, progress, round, rounds, shards, finished, tokens, totalTokens, tokensPerSecond, secondsLeft } = status;
  const { valLoss, unigramLoss, trigramLoss, parameters, vocabSize, losses, trainers } = status;
  return {
    id,
    state,
    progress,
    round,
    rounds,
    shards,
    finished,
    tokens,
    totalTokens,
    tokensPerSecond,
    secondsLeft,
    valLoss,
    unigramLoss,
    trigramLoss,
    parameters,
    vocabSize,
    loss: losses.at(-1)?.loss ?? null,
    trainers: trainers.filter(({ secondsSilent }) => secondsSilent < SILENT_SECONDS).length,
    dataset:
      dataset === null
        ? null
        : {
            documents: dataset.documents,
            tokens: dataset.trainTokens + dataset.valTokens,
            bytesPerToken: dataset.kind === "pretrain" && dataset.valTokens > 0 ? dataset.valBytes / dataset.valTokens : null,
            kind: dataset.kind,
          },
  };
}
