/**
 * The Workflow `align`: votes become pairs, pairs train a candidate, and the candidate replaces the active model if it passes the gate
 * (shared/preferences/gate.ts). Every step is durable and finds its own result when it runs again, so an alignment that is killed and
 * started again under its name ends in the same decision. The instance id is the alignment's name.
 */
import { WorkflowEntrypoint, type WorkflowEvent, type WorkflowStep, type WorkflowStepConfig } from "cloudflare:workers";
import { NonRetryableError } from "cloudflare:workflows";
import type { z } from "zod";
import type { Hash, TokenShardEntry } from "../../shared/artifacts.ts";
import { alignRequestSchema, type AlignRequest, type Report } from "../../shared/contracts/alignments.ts";
import { derivePairs } from "../../shared/preferences/derive.ts";
import { judge, type Measured } from "../../shared/preferences/gate.ts";
import { isFinal, reasonOf, waitAfter } from "../../shared/workflows.ts";
import { runOf } from "./alignments.ts";
import { LearningStore } from "./learning-store.ts";

/** A held-out fifth of fewer pairs could not show a significant win. */
const MIN_PAIRS = 20;
const RETRIES: WorkflowStepConfig = { retries: { limit: 8, delay: "1 second", backoff: "exponential" }, timeout: "10 minutes" };

async function orGiveUp<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw isFinal(error) ? new NonRetryableError((error as Error).message) : error;
  }
}

interface Learned {
  baseline: Hash;
  pairs: Hash;
  count: number;
  votes: number;
}

export class AlignWorkflow extends WorkflowEntrypoint<FeedbackEnv, AlignRequest> {
  override async run(event: Readonly<WorkflowEvent<AlignRequest>>, step: WorkflowStep): Promise<Report> {
    const id = event.instanceId;
    const store = new LearningStore(this.env.DB);
    try {
      return await this.#align(id, alignRequestSchema.parse(event.payload ?? {}), store, step);
    } catch (error) {
      await store.setError(id, reasonOf(error));
      throw error;
    }
  }

  async #align(id: string, request: z.output<typeof alignRequestSchema>, store: LearningStore, step: WorkflowStep): Promise<Report> {
    const [decided] = await step.do("look for a decision", RETRIES, async () => (await store.decisionsOf(id)).map(({ report }) => report));
    if (decided !== undefined) return decided;
    const learned = await step.do("snapshot", RETRIES, () => this.#snapshot(id, store));
    const { dataset, context, train } = await this.#encode(learned, step);
    const { objective, preset, lrScale, seed, epochs } = request;
    const tokens = train * epochs * 2 * context;
    await step.do("train", RETRIES, async () => {
      const { baseline } = learned;
      const run = { name: runOf(id), objective, preset, lrScale, seed, tokens, from: baseline, dataset, activates: false };
      await orGiveUp(this.env.COORDINATOR.train(run).then(() => undefined));
    });
    const candidate = await this.#trained(id, step);
    const measured = await this.#measure(learned.baseline, candidate, dataset, step);
    return step.do("decide", RETRIES, async () => {
      const verdict = judge(measured);
      if (!request.promotes) verdict.reasons.push("promotes: the request asked to keep the active model");
      const report: Report = { ...measured, ...verdict, votes: learned.votes, learnedPairs: train };
      const promotes = verdict.passes && request.promotes;
      if (promotes) await this.env.COORDINATOR.activateModel(candidate);
      await store.decide({ alignment: id, candidate, baseline: learned.baseline, report, verdict: promotes ? "promoted" : "refused" });
      return report;
    });
  }

  /** Takes the unused votes and stores the pairs that they make. Gives the votes back if they make too few. */
  async #snapshot(id: string, store: LearningStore): Promise<Learned> {
    using active = await this.env.COORDINATOR.activeModel();
    if (active === null) throw new NonRetryableError("model: expected an active one to improve, got none");
    const { baseline, pairs: stored, count, ratings } = await store.beginSnapshot(id, active.model);
    if (stored !== null) return { baseline, pairs: stored, count, votes: ratings };
    const pairs = derivePairs(await store.votesOf(id));
    if (pairs.length < MIN_PAIRS) {
      await store.abandonSnapshot(id);
      throw new NonRetryableError(`votes: expected at least ${MIN_PAIRS} pairs of answers, got ${pairs.length} from ${ratings} votes`);
    }
    const texts = pairs.map(({ messages, better, worse }) => ({ messages: [...messages], better, worse }));
    const object = await this.env.TOKENIZER.addPairs(texts);
    await store.completeSnapshot(id, object, pairs);
    return { baseline, pairs: object, count: pairs.length, votes: ratings };
  }

  /** The pairs as a dataset in the tokens of the active model, with its log-probabilities. */
  async #encode({ baseline, pairs, count }: Learned, step: WorkflowStep): Promise<{ dataset: Hash; context: number; train: number }> {
    const encoded = await step.do("encode", RETRIES, async () => {
      using found = await orGiveUp(this.env.TOKENIZER.encodePairs({ pairs, model: baseline }));
      return { train: [...found.train], val: [...found.val], counts: [...found.counts], context: found.context };
    });
    const referenced = { train: [] as TokenShardEntry[], val: [] as TokenShardEntry[] };
    for (const side of ["train", "val"] as const)
      for (const [index, shard] of encoded[side].entries())
        referenced[side].push(
          await step.do(`reference ${side} ${index}`, RETRIES, async () => {
            using found = await this.env.TRAINER.referenceShard(baseline, shard);
            return { hash: found.hash, tokens: found.tokens };
          }),
        );
    const dataset = await step.do("dataset", RETRIES, () =>
      this.env.TOKENIZER.putPreferences({ ...referenced, pairs: count, reference: baseline }),
    );
    return { dataset, context: encoded.context, train: encoded.counts[0]! };
  }

  /** Waits until the candidate is trained and published. */
  async #trained(id: string, step: WorkflowStep): Promise<Hash> {
    for (let index = 0; ; index++) {
      const model = await step.do(`look ${index}`, RETRIES, async () => {
        using status = await this.env.COORDINATOR.getRun(runOf(id));
        if (status === null || status.state === "failed") throw new NonRetryableError(status?.error ?? "the run was deleted");
        if (status.state !== "done" || status.checkpoint === null) return null;
        using models = await this.env.COORDINATOR.listModels();
        return models.some((each) => each.model === status.checkpoint) ? status.checkpoint : null;
      });
      if (model !== null) return model;
      await step.sleep(`wait ${index}`, waitAfter(index));
    }
  }

  /** Compares both models on the held-out pairs, and on the held-out examples of what the active model has learned before. */
  async #measure(baseline: Hash, candidate: Hash, dataset: Hash, step: WorkflowStep): Promise<Measured> {
    const { pairs, wins } = await step.do("wins", RETRIES, async () => {
      using found = await this.env.TRAINER.countWins(candidate, dataset);
      return { pairs: found.pairs, wins: found.wins };
    });
    const before = await step.do("earlier dataset", RETRIES, async () => {
      using found = await this.env.TRAINER.earlierDataset(baseline);
      return found === null ? null : { dataset: found.dataset, objective: found.objective };
    });
    if (before === null) return { pairs, wins, heldOut: null, canaries: null };
    const of = (name: string, model: Hash) =>
      step.do(`held-out examples: ${name}`, RETRIES, async () => {
        using found = await this.env.TRAINER.measureHeldOut(model, before.dataset, before.objective);
        return { loss: found.loss, right: [...found.right] };
      });
    const [old, next] = [await of("active model", baseline), await of("candidate", candidate)];
    const right = old.right.filter(Boolean).length;
    const kept = old.right.filter((isRight, index) => isRight && next.right[index]).length;
    const heldOut = { baseline: old.loss, candidate: next.loss };
    return { pairs, wins, heldOut, canaries: before.objective === "sft" ? { right, kept } : null };
  }
}
