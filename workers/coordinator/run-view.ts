/** The operators' view of one run: its status and the stream of its progress. */
import { datasetSchema, type Dataset } from "../../shared/artifacts.ts";
import type { RunStatus, RunTick } from "../../shared/contracts/runs.ts";
import { getJson } from "../../shared/store.ts";
import type { RunState } from "../../shared/training/protocol/run-state.ts";
import { runEvents } from "./events.ts";
import type { RunStore } from "./run-store.ts";
import { Signal } from "../../shared/signal.ts";
import { tickEvents } from "./tick-events.ts";
import { tickOf } from "./tick.ts";
import { statusOf, type LossesShown, type Preparation } from "./status.ts";

export class RunView {
  readonly #bucket: R2Bucket;
  readonly #changed = new Signal();
  /** The run's dataset. It never changes once the run has begun. */
  #dataset: Dataset | null = null;

  constructor(bucket: R2Bucket) {
    this.#bucket = bucket;
  }

  /** Wakes the event streams after a change. */
  wake(): void {
    this.#changed.wake();
  }

  /** Null if there is no such run. */
  async status(store: RunStore, state: RunState | null, losses: LossesShown): Promise<RunStatus | null> {
    const record = store.read<Preparation>("record");
    if (record === null && state === null) return null;
    if (state !== null) this.#dataset ??= await getJson(this.#bucket, "dataset", state.spec.dataset, datasetSchema);
    return statusOf(record, state, store.history, losses, this.#dataset);
  }

  /** The run's tick: its status in a few hundred bytes. Null if there is no such run. */
  async tick(store: RunStore, state: RunState | null): Promise<RunTick | null> {
    const status = await this.status(store, state, "newest");
    return status === null ? null : tickOf(status, this.#dataset);
  }

  /** Progress as server-sent events: whole statuses, or small ticks if `ticks` is given. The run is read only after a change. */
  events(now: () => { store: RunStore; state: RunState | null }, ticks?: { since: number | null }): ReadableStream<Uint8Array> {
    const changed = (ms: number) => this.#changed.wait(ms);
    if (ticks === undefined) return runEvents(() => this.status(now().store, now().state, "newest"), changed);
    const tick = () => this.tick(now().store, now().state);
    const lossesAfter = (round: number, limit: number) => now().store.history.lossesAfter(round, limit);
    return tickEvents({ tick, lossesAfter, changed }, ticks.since);
  }
}
