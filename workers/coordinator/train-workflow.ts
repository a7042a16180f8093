/**
 * The Workflow `train`: corpus snapshot, tokenizer, dataset, training, evaluation, publication. Every step is durable
 * and idempotent, so it survives restarts and may run twice. The instance id is the run id.
 */
import { WorkflowEntrypoint, type WorkflowEvent, type WorkflowStep, type WorkflowStepConfig } from "cloudflare:workers";
import { NonRetryableError } from "cloudflare:workflows";
import { z } from "zod";
import { datasetSchema } from "../../shared/artifacts.ts";
import { presetOf, trainingConfigSchema } from "../../shared/config.ts";
import { getJson } from "../../shared/store.ts";
import { totalRounds } from "../../shared/training/rounds.ts";
import { windowCount } from "../../shared/training/data-order.ts";

export const trainRequestSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/)
    .optional(),
  preset: z.string().default("small"),
  tokens: z.int().positive().optional(),
  vocabSize: z.int().min(259).max(65_536).optional(),
  shards: z.int().min(1).max(250).optional(),
  steps: z.int().min(1).max(1000).optional(),
  seed: z.int().min(0).max(0xffff_ffff).default(1),
  sources: z.array(z.string()).optional(),
});
export type TrainRequest = z.input<typeof trainRequestSchema>;

/** A run is looked at this often; the figure decides only how soon its end is noticed. */
const POLL = "1 second";
const MAX_STEPS = 900;

/** Failures of the machinery pass soon; what the operator must mend is not tried again. */
const RETRIES: WorkflowStepConfig = { retries: { limit: 5, delay: "1 second", backoff: "exponential" } };
const FINAL_ERRORS: ReadonlySet<string> = new Set(["NotFound", "InvalidInput"]);

async function orGiveUp<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const { name, message } = error as Error;
    throw FINAL_ERRORS.has(name) ? new NonRetryableError(message) : error;
  }
}

export class TrainWorkflow extends WorkflowEntrypoint<CoordinatorEnv, TrainRequest> {
  override async run(event: Readonly<WorkflowEvent<TrainRequest>>, step: WorkflowStep): Promise<{ model: string }> {
    const id = event.instanceId;
    const run = this.env.RUN.get(this.env.RUN.idFromName(id));
    try {
      return await this.#train(id, event.payload ?? {}, run, step);
    } catch (error) {
      await run.fail(id, (error as Error).message.replace(/^NonRetryableError: /, ""));
      throw error;
    }
  }

  async #train(
    id: string,
    payload: TrainRequest,
    run: DurableObjectStub<import("./run-object.ts").Run>,
    step: WorkflowStep,
  ): Promise<{ model: string }> {
    const { COLLECTOR, TOKENIZER, ARTIFACTS } = this.env;
    const request = trainRequestSchema.parse(payload);
    const preset = presetOf(request.preset);
    const registry = this.env.REGISTRY.getByName("registry");
    const snapshot = await step.do("snapshot", RETRIES, async () => {
      await registry.addRun(id);
      await run.prepare(id, { stage: "snapshot", done: 0, total: 1 });
      return (await orGiveUp(COLLECTOR.snapshot(request.sources === undefined ? {} : { sources: request.sources }))).hash;
    });

    let state: string | null = null;
    let tokenizer: string | null = null;
    for (let index = 0; tokenizer === null; index++) {
      const previous: string | null = state;
      const result = await step.do(`tokenizer ${index}`, RETRIES, async () => {
        const {
          state: next,
          tokenizer: done,
          progress,
        } = await TOKENIZER.trainStep({ snapshot, vocabSize: request.vocabSize ?? preset.vocabSize, state: previous });
        await run.prepare(id, { ...progress, stage: "tokenizer" });
        return { next, done };
      });
      state = result.next;
      tokenizer = result.done;
      if (index > MAX_STEPS) throw new Error(`tokenizer: expected to finish in ${MAX_STEPS} steps, it did not`);
    }

    const trained = tokenizer;
    let dataset: string | null = null;
    state = null;
    for (let index = 0; dataset === null; index++) {
      const previous: string | null = state;
      const result = await step.do(`dataset ${index}`, RETRIES, async () => {
        const { state: next, dataset: done, progress } = await TOKENIZER.encodeStep({ snapshot, tokenizer: trained, state: previous });
        await run.prepare(id, { ...progress, stage: "encode" });
        return { next, done };
      });
      state = result.next;
      dataset = result.done;
      if (index > MAX_STEPS) throw new Error(`dataset: expected to finish in ${MAX_STEPS} steps, it did not`);
    }

    const encoded = dataset;
    await step.do("begin", RETRIES, async () => {
      const { vocabSize, trainTokens, valTokens } = await getJson(ARTIFACTS, "dataset", encoded, datasetSchema);
      const model = { ...preset.model, vocabSize };
      const training = trainingConfigSchema.parse({
        ...preset.training,
        tokens: request.tokens ?? preset.tokens,
        seed: request.seed,
        shards: request.shards ?? preset.training.shards,
        steps: request.steps ?? preset.training.steps,
      });
      if (windowCount(trainTokens, model.context) < 1 || valTokens < 2) {
        throw new NonRetryableError(
          `corpus: expected more than ${model.context} training and 1 validation tokens, got ${trainTokens} and ${valTokens}. Crawl more pages.`,
        );
      }
      await orGiveUp(
        run.begin({
          run: id,
          preset: request.preset,
          dataset: encoded,
          tokenizer: trained,
          model,
          training,
          rounds: totalRounds(training, model),
        }),
      );
    });
    for (let index = 0; ; index++) {
      const done = await step.do(`look ${index}`, RETRIES, async () => {
        const status = await run.status();
        if (status?.state === "failed") throw new NonRetryableError(status.error ?? "the run failed");
        return status?.state === "done" ? { model: status.checkpoint!, valLoss: status.valLoss } : null;
      });
      if (done !== null) {
        await step.do("publish", () => registry.publish({ model: done.model, tokenizer: trained, run: id, valLoss: done.valLoss }));
        return { model: done.model };
      }
      // The wait grows, so that a long run stays within the platform's 1,024 steps per instance.
      await step.sleep(`wait ${index}`, index < 240 ? POLL : "30 seconds");
    }
  }
}
