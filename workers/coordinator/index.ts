/**
 * Coordinator: training runs (a Durable Object each), the Workflow that drives them, and the model registry. Trainers read and
 * write stored objects through this Worker, as byte streams under their hashes.
 */
import { WorkerEntrypoint } from "cloudflare:workers";
import { objectKey, type Hash, type ObjectKind } from "../../shared/artifacts.ts";
import { kindOf, type ModelKind } from "../../shared/network-kind.ts";
import type { Costs } from "../../shared/contracts/costs.ts";
import type { CreatedKey, Key, KeyRequest, KeyUse } from "../../shared/contracts/keys.ts";
import type { Curve, CurveQuery } from "../../shared/contracts/curve.ts";
import type { Model, PublishRequest } from "../../shared/contracts/models.ts";
import type { TrainingTotals } from "../../shared/contracts/overview.ts";
import type { BranchRequest, RunStatus, StartedRun, WorkflowRequest } from "../../shared/contracts/runs.ts";
import type { ImportedModel, ImportRequest } from "../../shared/contracts/imports.ts";
import { centsOfUsage, type Usage } from "../../shared/costs/usage.ts";
import { namedError } from "../../shared/errors.ts";
import type { ExportFormat } from "../../shared/interchange/formats.ts";
import type { Lease, Submission, SubmissionReply } from "../../shared/training/protocol/task.ts";
import { log } from "../../shared/log.ts";
import { requireStored } from "./checkpoints.ts";
import { lastingEvents } from "./events.ts";
import { importModel, putImported } from "./imports.ts";
import { exportModel, listRepository, readRepository, type ExportStream, type Repository } from "./exports.ts";
import { trainingTotals } from "./overview.ts";
import { receivePart } from "./parts.ts";
import { exposition } from "./prometheus.ts";
import type { RunSpec } from "../../shared/training/protocol/run-state.ts";
import { branchRun, collectGarbage, deleteRun, findRun, leaseTask, readRunPart, rouseRuns, trainRun, type Asking } from "./runs.ts";

export { Ledger } from "./ledger.ts";
export { Registry } from "./registry.ts";
export { Run } from "./run-object.ts";
export { TrainWorkflow } from "./train-workflow.ts";

const READABLE: readonly ObjectKind[] = ["part", "dataset", "token-shard", "tokenizer", "checkpoint"];

/**
 * The address of the operator's webhook. It is a secret, because many services put a token into it. If it is empty, no alert is
 * sent.
 */
function webhookOf(env: CoordinatorEnv): string {
  const address: unknown = Reflect.get(env, "WEBHOOK_URL");
  return typeof address === "string" ? address : "";
}

export default class Coordinator extends WorkerEntrypoint<CoordinatorEnv> {
  get #ledger() {
    return this.env.LEDGER.getByName("ledger");
  }

  get #registry() {
    return this.env.REGISTRY.getByName("registry");
  }

  override async scheduled(): Promise<void> {
    await rouseRuns(this.env);
    await this.#ledger.sendAlerts(webhookOf(this.env));
  }

  /** Messages of the dead-letter queues. */
  override async queue(batch: MessageBatch): Promise<void> {
    const queue = /-(\w+)-dead$/.exec(batch.queue)?.[1] ?? batch.queue;
    log("error", `${batch.messages.length} messages of the queue ${queue} are given up: ${JSON.stringify(batch.messages[0]?.body)}`);
    await this.#ledger.bookDeadLetters(queue, batch.messages.length);
  }

  async health(): Promise<{ ok: true; model: Hash | null }> {
    return { ok: true, model: (await this.activeModel())?.model ?? null };
  }

  async costs(): Promise<Costs> {
    const [costs, collected] = await Promise.all([this.#ledger.costs(), this.env.COLLECTOR.usage()]);
    const collector = collected.map(({ day, usage }) => ({ worker: "collector" as const, day, cents: centsOfUsage(usage), usage }));
    return { ...costs, others: [...costs.others, ...collector] };
  }

  bookGateway(usage: Usage): Promise<void> {
    return this.#ledger.bookGateway(usage);
  }

  /** Makes a key for a client. Throws Conflict if there are too many. */
  createKey(request: KeyRequest): Promise<CreatedKey> {
    return this.#ledger.createKey(request);
  }

  listKeys(): Promise<Key[]> {
    return this.#ledger.listKeys();
  }

  hasKeys(): Promise<boolean> {
    return this.#ledger.hasKeys();
  }

  /** Throws NotFound. */
  deleteKey(id: string): Promise<void> {
    return this.#ledger.deleteKey(id);
  }

  /** Checks a client's key and counts its request. */
  useKey(key: string): Promise<KeyUse> {
    return this.#ledger.useKey(key);
  }

  /** Adds tokens to the day of a client's key. */
  spendKey(id: string, tokens: number): Promise<void> {
    return this.#ledger.spendKey(id, tokens);
  }

  /** Counters and gauges in Prometheus' text format. */
  async metrics(): Promise<string> {
    return exposition(await this.#ledger.metrics());
  }

  /** Starts the Workflow `train`. If a run with this name exists, returns that run. Throws InvalidInput. */
  train(request: WorkflowRequest, requestId?: string): Promise<StartedRun> {
    return trainRun(this.env, request, requestId);
  }

  /** Starts a run at a checkpoint of another run. Throws InvalidInput, NotFound. */
  branchRun(id: string, request: BranchRequest): Promise<StartedRun> {
    return branchRun(this.env, id, request);
  }

  /** Begins a run on an existing dataset, without a Workflow. */
  async startRun(spec: RunSpec): Promise<void> {
    await this.#registry.addRun(spec.run);
    await this.env.RUN.getByName(spec.run).begin(spec);
  }

  async getRun(id: string): Promise<RunStatus | null> {
    return (await this.#registry.hasRun(id)) ? this.env.RUN.getByName(id).status() : null;
  }

  /** Training and models in numbers, for the overview. */
  totals(): Promise<TrainingTotals> {
    return trainingTotals(this.env);
  }

  /** The status of every run, with only its newest loss instead of the loss curve. */
  async listRuns(): Promise<RunStatus[]> {
    const all = await Promise.all((await this.#registry.runs()).map((id) => this.env.RUN.getByName(id).status("newest")));
    return all.filter((status) => status !== null);
  }

  async pauseRun(id: string): Promise<void> {
    await (await findRun(this.env, id)).pause();
  }

  async resumeRun(id: string): Promise<void> {
    await (await findRun(this.env, id)).resume();
  }

  async stopRun(id: string): Promise<void> {
    await (await findRun(this.env, id)).stop();
  }

  async deleteRun(id: string): Promise<void> {
    await deleteRun(this.env, id);
  }

  /** Deletes objects of runs that are older than the grace time and that no state names. */
  collectGarbage(graceSeconds?: number): Promise<{ objects: number }> {
    return collectGarbage(this.env, graceSeconds);
  }

  /** Progress as server-sent events until the run is over. Throws NotFound. */
  async runEvents(id: string): Promise<ReadableStream<Uint8Array>> {
    await findRun(this.env, id);
    return lastingEvents(() => this.env.RUN.getByName(id).events());
  }

  /**
   * Ticks (small statuses) as server-sent events, with the rounds after `since`, the newest round that the reader knows. Throws
   * NotFound.
   */
  async tickEvents(id: string, since: number | null): Promise<ReadableStream<Uint8Array>> {
    return (await findRun(this.env, id)).events({ since });
  }

  /** The loss curve in stretches of several rounds. Throws NotFound. */
  async runCurve(id: string, query: CurveQuery): Promise<Curve> {
    return { run: id, ...(await (await findRun(this.env, id)).curve(query)) };
  }

  /**
   * Leases a task of the run that the trainer last worked for, or of the oldest run that has a task. Throws Conflict for a
   * trainer with another version of the arithmetic.
   */
  lease(asking: Asking): Promise<Lease | null> {
    return leaseTask(this.env, asking);
  }

  submit(submission: Submission): Promise<SubmissionReply> {
    return this.env.RUN.getByName(submission.run).submit(submission);
  }

  /** Gives back a task that a trainer could not compute, so that another trainer gets it at once. */
  async release(run: string, shard: number, lease: string): Promise<void> {
    await this.env.RUN.getByName(run).release(shard, lease);
  }

  /**
   * The bytes of an object under the common keys or, with `run`, of an object of the run. The reader checks the hash. Throws
   * NotFound, InvalidInput.
   */
  async readObject(kind: ObjectKind, hash: Hash, run?: string): Promise<ReadableStream | Uint8Array<ArrayBuffer>> {
    if (!READABLE.includes(kind)) throw namedError("InvalidInput", `kind: expected one of ${READABLE.join(", ")}, got ${String(kind)}`);
    if (kind === "part" && run !== undefined) return readRunPart(this.env, hash, run);
    const object = await this.env.ARTIFACTS.get(objectKey(kind, hash, run));
    if (object === null) throw namedError("NotFound", `${kind} ${hash}: expected an object, found none`);
    return object.body;
  }

  /**
   * Stores a part of an update or of an optimizer state. Large parts arrive as streams, with their size. Throws InvalidInput, and
   * Busy if other uploads fill the memory for too long.
   */
  writePart(run: string, bytes: ReadableStream<Uint8Array> | Uint8Array<ArrayBuffer>, size?: number): Promise<Hash> {
    return receivePart(this.env.ARTIFACTS, run, bytes, size);
  }

  /** The model of a kind that answers now; null if there is none. */
  async activeModel(kind: ModelKind = "language"): Promise<Model | null> {
    return (await this.#registry.models()).find((model) => model.active && model.kind === kind) ?? null;
  }

  listModels(): Promise<Model[]> {
    return this.#registry.models();
  }

  /** Publishes a model whose objects are stored, and activates it. Throws NotFound. */
  async publishModel(model: PublishRequest): Promise<void> {
    const { model: network } = await requireStored(this.env.ARTIFACTS, model.model, model.tokenizer);
    await this.#registry.publish({ ...model, kind: kindOf(network) });
  }

  activateModel(model: Hash): Promise<void> {
    return this.#registry.activate(model);
  }

  /** Exports a published model for another runtime: one file, or a tar of a folder. Throws InvalidInput, NotFound, NoModel. */
  exportModel(id: string, format: ExportFormat, type?: string): Promise<ExportStream> {
    return exportModel(this.env, id, format, type);
  }

  /** A published model's files as a hub lists them. Throws NotFound, NoModel. */
  listRepository(id: string): Promise<Repository> {
    return listRepository(this.env, id);
  }

  /** The bytes of a repository's file from `start` up to, but not including, `end`. Throws NotFound, NoModel. */
  readRepository(id: string, path: string, start: number, end: number): Promise<ReadableStream<Uint8Array>> {
    return readRepository(this.env, id, path, start, end);
  }

  /** Stores a part or a tokenizer of an imported model under its hash. Throws InvalidInput. */
  putImported(kind: "part" | "tokenizer", hash: Hash, size: number, bytes: ReadableStream<Uint8Array>): Promise<void> {
    return putImported(this.env, kind, hash, size, bytes);
  }

  /** Publishes an imported model whose objects are stored. Throws InvalidInput. */
  importModel(request: ImportRequest): Promise<ImportedModel> {
    return importModel(this.env, request);
  }
}
