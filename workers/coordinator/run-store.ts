/**
 * A run in SQL: one row per field of its state, one row per shard, and the history (run-history.ts). An event writes only the
 * rows that it changed, in one transaction. Every row stays far below the platform's limit of 2 MB.
 */
import { MAX_DURABLE_ROW_BYTES } from "../../shared/limits.ts";
import type { RunState, Slot } from "../../shared/training/protocol/run-state.ts";
import { RunHistory } from "./run-history.ts";
import type { Preparation } from "./status.ts";

/** The format of the stored state. `load` upgrades formats from OLDEST on and refuses newer formats. */
const FORMAT = 4;
const OLDEST = 2;
/** Fields that format 3 added. */
const ADDED_IN_3: Partial<RunState> = { computedMs: 0, damaged: null };
/** Fields that format 4 renamed. */
const RENAMED_IN_4: Readonly<Record<string, keyof RunState>> = {
  good: "rollbackPoint",
  candidate: "nextRollbackPoint",
  worse: "evaluationsSinceBest",
  recent: "recentLosses",
};
const SLOT = "slot/";

export class RunStore {
  readonly history: RunHistory;
  readonly #storage: Pick<DurableObjectStorage, "sql" | "transactionSync">;

  constructor(storage: Pick<DurableObjectStorage, "sql" | "transactionSync">) {
    this.#storage = storage;
    storage.sql.exec("CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, json TEXT NOT NULL)");
    this.history = new RunHistory(storage.sql);
  }

  read<T>(name: string): T | null {
    const row = this.#storage.sql.exec<{ json: string }>("SELECT json FROM kept WHERE name = ?", name).toArray()[0];
    return row === undefined ? null : (JSON.parse(row.json) as T);
  }

  /** Whether the Workflow has reported that training cannot begin. */
  hasFailed(): boolean {
    return (this.read<Preparation>("record")?.error ?? null) !== null;
  }

  write(name: string, value: unknown): void {
    const json = JSON.stringify(value);
    if (json.length > MAX_DURABLE_ROW_BYTES)
      throw new Error(`row ${name}: expected at most ${MAX_DURABLE_ROW_BYTES} bytes, got ${json.length}`);
    this.#storage.sql.exec("INSERT INTO kept VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET json = excluded.json", name, json);
  }

  /**
   * Loads the state and upgrades it to the current format. Null before the run has begun. Throws if a newer version of this
   * Worker wrote it.
   */
  load(): RunState | null {
    const format = this.read<number>("format");
    if (format === null) return null;
    if (format < OLDEST || format > FORMAT)
      throw new Error(`stored run: expected a format of ${OLDEST} to ${FORMAT}, got ${format}; deploy the version that wrote it`);
    this.#upgrade(format);
    const rows = this.#storage.sql.exec<{ name: string; json: string }>("SELECT name, json FROM kept").toArray();
    const fields: Record<string, unknown> = {};
    const slots: Slot[] = [];
    for (const { name, json } of rows) {
      if (name.startsWith(SLOT)) slots[Number(name.slice(SLOT.length))] = JSON.parse(json) as Slot;
      else if (name.startsWith("state/")) fields[name.slice("state/".length)] = JSON.parse(json);
    }
    return { ...fields, slots } as unknown as RunState;
  }

  /** Upgrades the rows of an older format, in one transaction. */
  #upgrade(format: number): void {
    if (format === FORMAT) return;
    this.#storage.transactionSync(() => {
      if (format < 3) for (const [name, value] of Object.entries(ADDED_IN_3)) this.write(`state/${name}`, value);
      for (const [before, after] of Object.entries(RENAMED_IN_4))
        this.#storage.sql.exec("UPDATE kept SET name = ? WHERE name = ?", `state/${after}`, `state/${before}`);
      // Before format 4 every run was a pretraining run.
      const spec = this.read<RunState["spec"]>("state/spec")!;
      this.write("state/spec", { ...spec, training: { ...spec.training, objective: "pretrain" } });
      this.write("format", FORMAT);
    });
  }

  /** Writes the changed rows and the new history in one transaction. If `before` is null, writes the whole state. */
  save(before: RunState | null, after: RunState, now: number): void {
    try {
      this.#storage.transactionSync(() => {
        if (before === null) this.write("format", FORMAT);
        for (const [name, value] of Object.entries(after)) {
          if (name !== "slots" && before?.[name as keyof RunState] !== value) this.write(`state/${name}`, value);
        }
        for (const [shard, slot] of after.slots.entries()) if (before?.slots[shard] !== slot) this.write(`${SLOT}${shard}`, slot);
        if (before !== null) this.history.record(before, after, now);
      });
    } catch (error) {
      this.history.forget();
      throw error;
    }
  }
}
