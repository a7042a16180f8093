/**
 * Coordinator: training runs (a Durable Object each), the Workflow that drives them, the model registry. The only way
 * by which a trainer reaches data: objects go in and out as byte streams under their hashes.
 */
import { WorkerEntrypoint } from "cloudflare:workers";
import { objectKey, OBJECT_KINDS, type Hash, type ObjectKind } from "../../shared/artifacts.ts";
import { presetOf } from "../../shared/config.ts";
import { putObject } from "../../shared/store.ts";
import type { Lease, Submission, SubmissionReply } from "../../shared/training/task.ts";
import type { Model } from "./registry.ts";
import type { RunSpec } from "./run.ts";
import type { RunStatus } from "./status.ts";
import { trainRequestSchema, type TrainRequest } from "./train-workflow.ts";

export { Registry } from "./registry.ts";
export { Run } from "./run-object.ts";
export { TrainWorkflow } from "./train-workflow.ts";

const READABLE: readonly ObjectKind[] = ["weights", "optimizer", "dataset", "token-shard", "tokenizer", "checkpoint"];
/** A delta or state of the largest model that an isolate could train. */
const MAX_UPLOAD_BYTES = 64 * 1024 * 1024;

const named = (name: string, message: string) => Object.assign(new Error(message), { name });

export default class Coordinator extends WorkerEntrypoint<CoordinatorEnv> {
  get #registry() {
    return this.env.REGISTRY.getByName("registry");
  }

  #run(id: string) {
    return this.env.RUN.getByName(id);
  }

  async health(): Promise<{ ok: true; model: Hash | null }> {
    return { ok: true, model: (await this.activeModel())?.model ?? null };
  }

  /** Starts the Workflow `train`. A name that is taken returns the run that has it. Throws InvalidInput. */
  async train(request: TrainRequest): Promise<{ run: string; workflow: string }> {
    const parsed = trainRequestSchema.safeParse(request);
    if (!parsed.success)
      throw named("InvalidInput", parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; "));
    try {
      presetOf(parsed.data.preset);
    } catch (error) {
      throw named("InvalidInput", (error as Error).message);
    }
    const id = parsed.data.name ?? crypto.randomUUID();
    if ((await this.#run(id).status()) === null) {
      await this.#registry.addRun(id);
      await this.#run(id).prepare(id, { stage: "snapshot", done: 0, total: 1 });
    }
    // Not inside the branch: a crash between the two would leave a run that nobody drives.
    const known = await this.env.TRAIN.get(id).then(
      () => true,
      () => false,
    );
    if (!known) await this.env.TRAIN.create({ id, params: parsed.data });
    return { run: id, workflow: id };
  }

  /** Begins a run on a dataset that is there already. */
  async startRun(spec: RunSpec): Promise<void> {
    await this.#registry.addRun(spec.run);
    await this.#run(spec.run).begin(spec);
  }

  async getRun(id: string): Promise<RunStatus | null> {
    return this.#run(id).status();
  }

  async listRuns(): Promise<RunStatus[]> {
    const all = await Promise.all((await this.#registry.runs()).map((id) => this.#run(id).status()));
    return all.filter((status) => status !== null);
  }

  /** A task of the named run, or of the oldest run that has one. */
  async lease(input: { trainer: string; run?: string }): Promise<Lease | null> {
    const runs = input.run === undefined ? await this.#registry.runs() : [input.run];
    for (const id of runs) {
      // A run in trouble must not keep trainers from the others.
      const lease = await this.#run(id)
        .lease(input.trainer)
        .catch(() => null);
      if (lease !== null) return lease;
    }
    return null;
  }

  submit(submission: Submission): Promise<SubmissionReply> {
    return this.#run(submission.run).submit(submission);
  }

  /** The bytes of an object. The reader checks the hash. Throws NotFound, InvalidInput. */
  async readObject(kind: ObjectKind, hash: Hash): Promise<ReadableStream> {
    if (!READABLE.includes(kind))
      throw named("InvalidInput", `kind: expected one of ${READABLE.join(", ")} of ${Object.keys(OBJECT_KINDS).length} kinds, got ${kind}`);
    const object = await this.env.ARTIFACTS.get(objectKey(kind, hash));
    if (object === null) throw named("NotFound", `${kind} ${hash}: expected an object, found none`);
    return object.body;
  }

  async writeObject(kind: "delta" | "optimizer", bytes: ReadableStream | Uint8Array<ArrayBuffer>): Promise<Hash> {
    if (kind !== "delta" && kind !== "optimizer") throw named("InvalidInput", `kind: expected delta or optimizer, got ${String(kind)}`);
    const parts: Uint8Array[] = [];
    let size = 0;
    for await (const part of new Response(bytes).body as ReadableStream<Uint8Array>) {
      size += part.byteLength;
      if (size > MAX_UPLOAD_BYTES) throw named("InvalidInput", `${kind}: expected at most ${MAX_UPLOAD_BYTES} bytes, got more`);
      parts.push(part);
    }
    return putObject(this.env.ARTIFACTS, kind, await new Blob(parts as Uint8Array<ArrayBuffer>[]).arrayBuffer());
  }

  async activeModel(): Promise<{ model: Hash; tokenizer: Hash } | null> {
    const active = (await this.#registry.models()).find((model) => model.active);
    return active === undefined ? null : { model: active.model, tokenizer: active.tokenizer };
  }

  listModels(): Promise<Model[]> {
    return this.#registry.models();
  }

  activateModel(model: Hash): Promise<void> {
    return this.#registry.activate(model);
  }
}
