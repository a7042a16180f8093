/**
 * The Workflow `train`: corpus snapshot, tokenizer, dataset (or lessons for a model), training, evaluation, publication. Every
 * step is durable and idempotent, so steps survive restarts and may run twice. The instance id is the run id.
 */
import { WorkflowEntrypoint, type WorkflowEvent, type WorkflowStep, type WorkflowStepConfig } from "cloudflare:workers";
import { NonRetryableError } from "cloudflare:workflows";
import { datasetSchema, type DatasetKind, type Hash } from "../../shared/artifacts.ts";
import { decoderCheckpoint } from "../../shared/decoder-checkpoint.ts";
import { presetOf, supervisionConfigSchema } from "../../shared/config.ts";
import { kindOf } from "../../shared/network-kind.ts";
import { workflowRequestSchema, type WorkflowRequest } from "../../shared/contracts/runs.ts";
import type { Usage } from "../../shared/costs/usage.ts";
import { pretrainingOf } from "../../shared/lessons/pretraining.ts";
import { getJson } from "../../shared/store.ts";
import { totalRounds } from "../../shared/training/compute/rounds.ts";
import { objectiveOf } from "../../shared/training/objectives/list.ts";
import { checkKind } from "../../shared/training/objectives/objective.ts";
import { isFinal, reasonOf, waitAfter } from "../../shared/workflows.ts";
import { publishBase } from "./checkpoints.ts";
import { networkOf, originOf, presetName, trainingOf, type ParsedRequest } from "./train-request.ts";

const MAX_STEPS = 900;

/** Infrastructure failures pass soon, so steps are retried. */
const RETRIES: WorkflowStepConfig = { retries: { limit: 5, delay: "1 second", backoff: "exponential" } };
/** For steps whose result is already safe: they retry for more than an hour of failing storage (2^12 - 1 seconds). */
const PATIENCE: WorkflowStepConfig = { retries: { limit: 12, delay: "1 second", backoff: "exponential" } };
/** CPU time of the Workflow itself in a step: it makes a few calls. A generous guess, because a Worker cannot measure it. */
const STEP_CPU_MS = 5;
/** What a step of the preparation has used: the tokenizer's work and the Workflow's. The polls of a run are not counted. */
const usageOfStep = (work: Usage): Usage => ({ ...work, cpuMilliseconds: (work.cpuMilliseconds ?? 0) + STEP_CPU_MS });

async function orGiveUp<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw isFinal(error) ? new NonRetryableError((error as Error).message) : error;
  }
}

/** What a kind of dataset is made of, for errors. */
const SOURCES: Readonly<Record<DatasetKind, string>> = { pretrain: "corpus", sft: "lessons", preferences: "votes", classify: "lessons" };

type RunStub = DurableObjectStub<import("./run-object.ts").Run>;

/** The default factor on the learning rate of a run that starts from a model. The higher the rate, the more the model forgets. */
const FROM_LR_SCALE = 0.25;

export class TrainWorkflow extends WorkflowEntrypoint<CoordinatorEnv, WorkflowRequest> {
  override async run(event: Readonly<WorkflowEvent<WorkflowRequest>>, step: WorkflowStep): Promise<{ model: string }> {
    const id = event.instanceId;
    const run = this.env.RUN.get(this.env.RUN.idFromName(id));
    try {
      await this.#begin(id, event.payload ?? {}, run, step);
    } catch (error) {
      await run.fail(id, reasonOf(error));
      throw error;
    }
    // Now the run does not need its Workflow. If this instance ends early, the next start of the run creates another instance.
    const { activates } = workflowRequestSchema.parse(event.payload ?? {});
    return this.#finish(id, run, step, activates);
  }

  /** Prepares and begins the run, unless training has begun. */
  async #begin(id: string, payload: WorkflowRequest, run: RunStub, step: WorkflowStep): Promise<void> {
    const request = workflowRequestSchema.parse(payload);
    const { branch } = request;
    await step.do("register", RETRIES, () => this.env.REGISTRY.getByName("registry").addRun(id));
    // After a restart of the instance, training may have begun already.
    const isBegun = await step.do("look for the run", RETRIES, async () => {
      using status = await run.status();
      return status !== null && status.state !== "preparing";
    });
    if (isBegun) return;
    if (branch === undefined) {
      const dataset = await this.#prepare(id, request, run, step);
      await step.do("begin", RETRIES, () => orGiveUp(this.#beginAnew(id, request, dataset, run)));
    } else await step.do("branch", RETRIES, () => orGiveUp(this.#beginBranch(id, request, branch, run)));
  }

  /** Begins with a checkpoint of another run, and with that run's data, model and training settings. */
  async #beginBranch(id: string, request: ParsedRequest, branch: NonNullable<ParsedRequest["branch"]>, run: RunStub): Promise<void> {
    const { spec } = await this.env.RUN.getByName(branch.run).branchPoint(branch.checkpoint);
    const training = { ...spec.training, tokens: request.tokens ?? spec.training.tokens };
    const supervision = supervisionConfigSchema.parse({ ...spec.supervision, ...request.supervision });
    // Specs of older runs have no `valTokens`, so the number comes from the dataset.
    const { valTokens } = await getJson(this.env.ARTIFACTS, "dataset", spec.dataset, datasetSchema);
    await run.begin({ ...spec, run: id, valTokens, training, supervision, rounds: totalRounds(training, spec.model) }, branch);
  }

  /**
   * Returns the dataset of a run. If the request names a dataset, it is returned. With lessons: the lessons in the tokens of
   * the model that learns. Otherwise: a snapshot of the corpus, in the tokens of a new tokenizer or of the tokenizer of the
   * model that the run starts from.
   */
  async #prepare(id: string, request: ParsedRequest, run: RunStub, step: WorkflowStep): Promise<Hash> {
    const { COLLECTOR, TOKENIZER } = this.env;
    if (request.dataset !== undefined) return request.dataset;
    const origin = await orGiveUp(originOf(this.env, request));
    const { lessons } = request;
    if (lessons !== undefined && trainingOf(request).objective === "classify")
      return untilDone(step, "lessons", async (state) => {
        using encoded = await orGiveUp(TOKENIZER.labelStep({ lessons, state }));
        await run.prepare(id, { ...encoded.progress, stage: "lessons" }, usageOfStep(encoded.usage));
        return { state: encoded.state, result: encoded.dataset };
      });
    if (lessons !== undefined) {
      const { tokenizer, model } = decoderCheckpoint(origin!, "from");
      const pretraining = request.replay === 0 ? null : await pretrainingOf(this.env.ARTIFACTS, origin!);
      const replay = pretraining === null ? null : { dataset: pretraining, share: request.replay };
      return untilDone(step, "lessons", async (state) => {
        using encoded = await orGiveUp(TOKENIZER.lessonStep({ lessons, tokenizer, context: model.context, replay, state }));
        await run.prepare(id, { ...encoded.progress, stage: "lessons" }, usageOfStep(encoded.usage));
        return { state: encoded.state, result: encoded.dataset };
      });
    }
    const vocabSize = request.vocabSize ?? presetOf(presetName(request)).vocabSize;
    const snapshot = await step.do("snapshot", RETRIES, async () => {
      await run.prepare(id, { stage: "snapshot", done: 0, total: 1 }, { requests: 1, cpuMilliseconds: STEP_CPU_MS });
      return (await orGiveUp(COLLECTOR.snapshot(request.sources === undefined ? {} : { sources: request.sources }))).hash;
    });
    const trainTokenizer = () =>
      untilDone(step, "tokenizer", async (state) => {
        using trained = await TOKENIZER.mergeStep({ snapshot, vocabSize, state });
        await run.prepare(id, { ...trained.progress, stage: "tokenizer" }, usageOfStep(trained.usage));
        return { state: trained.state, result: trained.tokenizer };
      });
    const tokenizer = origin?.tokenizer ?? (await trainTokenizer());
    return untilDone(step, "dataset", async (state) => {
      using encoded = await TOKENIZER.encodeStep({ snapshot, tokenizer, state });
      await run.prepare(id, { ...encoded.progress, stage: "encode" }, usageOfStep(encoded.usage));
      return { state: encoded.state, result: encoded.dataset };
    });
  }

  /** Begins round 0 on a dataset, with new weights or with the weights of the model that the run starts from. */
  async #beginAnew(id: string, request: ParsedRequest, dataset: Hash, run: RunStub): Promise<void> {
    const manifest = await getJson(this.env.ARTIFACTS, "dataset", dataset, datasetSchema);
    const { tokenizer, endTokens, trainTokens, valTokens } = manifest;
    const origin = await originOf(this.env, request);
    if (origin !== null && origin.tokenizer !== tokenizer)
      throw new NonRetryableError(`from: expected a model with the dataset's tokenizer ${tokenizer}, got one with ${origin.tokenizer}`);
    const model = origin?.model ?? networkOf(request, manifest)!;
    const usual = trainingOf(request);
    const objective = objectiveOf(usual);
    checkKind(objective, manifest, model);
    const counts = [objective.examples.trainingCount(trainTokens, model), objective.examples.validationCount(valTokens, model)] as const;
    if (counts[0] < 1 || counts[1] < 1) {
      throw new NonRetryableError(
        `${SOURCES[manifest.kind]}: expected at least one example to learn and one to validate (of ${objective.examples.recordLength(model)} numbers each), got ${counts.join(" and ")}. Crawl more pages, post more lessons or collect more votes.`,
      );
    }
    const { epochs } = objective;
    const training =
      epochs === null || request.tokens !== undefined
        ? usual
        : { ...usual, tokens: epochs(counts[0]) * counts[0] * objective.examples.tokens(model) };
    const supervision = supervisionConfigSchema.parse(request.supervision);
    const rounds = totalRounds(training, model);
    const ends = endTokens === undefined ? {} : { endTokens };
    const from = request.from === undefined ? undefined : { model: request.from, lrScale: request.lrScale ?? FROM_LR_SCALE };
    const preset = presetName(request);
    const spec = { run: id, preset, dataset, valTokens, tokenizer, ...ends, model, training, supervision, rounds };
    await run.begin(spec, from);
  }

  /** Waits for the end of the run and publishes its best checkpoint. */
  async #finish(id: string, run: RunStub, step: WorkflowStep, activates: boolean): Promise<{ model: string }> {
    for (let index = 0; ; index++) {
      const done = await step.do(`look ${index}`, PATIENCE, async () => {
        using status = await run.status();
        if (status === null || status.state === "failed") throw new NonRetryableError(status?.error ?? "the run was deleted");
        return status.state === "done" ? { model: status.checkpoint!, valLoss: status.valLoss } : null;
      });
      if (done !== null) {
        await step.do("publish", PATIENCE, async () => {
          await publishBase(this.env.ARTIFACTS, id, done.model);
          const { tokenizer, model } = (await run.branchPoint(done.model)).spec;
          const kind = kindOf(model);
          const { valLoss } = done;
          await this.env.REGISTRY.getByName("registry").publish({ model: done.model, kind, tokenizer, run: id, valLoss }, activates);
        });
        return { model: done.model };
      }
      await step.sleep(`wait ${index}`, waitAfter(index));
    }
  }
}

/** Repeats a durable step of limited size. Each call gets the state of the previous call, until a call returns a result. */
async function untilDone(
  step: WorkflowStep,
  name: string,
  work: (state: string | null) => Promise<{ state: string | null; result: string | null }>,
): Promise<string> {
  let state: string | null = null;
  for (let index = 0; index < MAX_STEPS; index++) {
    const before: string | null = state;
    const next: { state: string | null; result: string | null } = await step.do(`${name} ${index}`, RETRIES, () => work(before));
    if (next.result !== null) return next.result;
    state = next.state;
  }
  throw new Error(`${name}: expected a result within ${MAX_STEPS} steps, got none; use a smaller corpus or vocabulary`);
}
