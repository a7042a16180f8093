/** Collects the recorded facts of a published model: from its checkpoint, its run, its dataset and the origin of its data. */
import { originKey, originSchema, type Hash, type Origin } from "../../shared/artifacts.ts";
import type { DecoderCheckpoint } from "../../shared/decoder-checkpoint.ts";
import { findDataset } from "../../shared/find-dataset.ts";
import { IMPORTED_RUN } from "../../shared/contracts/imports.ts";
import type { Model } from "../../shared/contracts/models.ts";
import { languagesOf, licenceOfWeights } from "../../shared/interchange/licences.ts";
import { provenanceSchema, UNKNOWN_LICENCE, type Provenance } from "../../shared/interchange/provenance.ts";
import { parameterCount } from "../../shared/model/weights.ts";

/** The run that made a model; null if the run was deleted or the model was imported. */
async function runOf(env: CoordinatorEnv, { run, model }: Model) {
  if (!(await env.REGISTRY.getByName("registry").hasRun(run))) return null;
  const stub = env.RUN.getByName(run);
  const status = await stub.status();
  if (status === null) return null;
  const isKept = status.checkpoint === model;
  return { status, recipe: isKept ? (await stub.branchPoint(model)).spec.training : null };
}

/** The origin of a pretraining dataset; null if it is not recorded. */
async function originOf({ ARTIFACTS }: CoordinatorEnv, dataset: Hash | null): Promise<Origin | null> {
  const record = dataset === null ? null : await ARTIFACTS.get(originKey(dataset));
  return record === null ? null : originSchema.parse(await record.json());
}

export async function provenanceOf(
  env: CoordinatorEnv,
  { name, published, checkpoint, isTaught }: { name: string; published: Model; checkpoint: DecoderCheckpoint; isTaught: boolean },
): Promise<Provenance> {
  const run = await runOf(env, published);
  const data = await findDataset(env.ARTIFACTS, checkpoint.dataset);
  const isLessons = data?.kind === "sft";
  const pretraining = isLessons ? data.replay : checkpoint.dataset;
  const origin = await originOf(env, pretraining ?? null);
  const bitsPerByte =
    published.valLoss === null || data === null || data.valBytes === 0
      ? null
      : (published.valLoss * (data.valTokens - 1)) / Math.LN2 / data.valBytes;
  // Parsing drops every fact that is not in the schema.
  return provenanceSchema.parse({
    format: 2,
    name,
    checkpoint: published.model,
    tokenizer: checkpoint.tokenizer,
    dataset: data === null ? null : checkpoint.dataset,
    model: checkpoint.model,
    parameters: parameterCount(checkpoint.model),
    publishedAt: published.publishedAt,
    // Lesson sets have no recorded licence.
    licence: isLessons ? UNKNOWN_LICENCE : licenceOfWeights(origin?.sources ?? null),
    languages: languagesOf(origin?.sources ?? null),
    isTaught,
    training: {
      run: published.run === IMPORTED_RUN ? null : published.run,
      preset: run?.status.preset ?? null,
      rounds: checkpoint.round,
      tokens: checkpoint.tokens,
      recipe: run?.recipe ?? null,
      computeSeconds: run?.status.computeSeconds ?? null,
      cents: run?.status.cents ?? null,
    },
    data: data === null ? null : { ...data, origin },
    evaluation: {
      loss: published.valLoss,
      bitsPerByte,
      unigramLoss: data?.unigramLoss ?? null,
      trigramLoss: data?.trigramLoss ?? null,
    },
  });
}
