/**
 * The Registry, a single object: all runs, whether each may have work, the rates of their trainers, all published models, and the
 * active model of each kind.
 */
import { DurableObject } from "cloudflare:workers";
import type { Hash } from "../../shared/artifacts.ts";
import type { ModelKind } from "../../shared/network-kind.ts";
import type { Model } from "../../shared/contracts/models.ts";
import { namedError } from "../../shared/errors.ts";
import { plannedRate } from "../../shared/training/protocol/cpu-rate.ts";

/** Only the rates of the newest runs are kept, because machines change. */
const RUNS_WITH_RATES = 20;

export class Registry extends DurableObject<CoordinatorEnv> {
  constructor(ctx: DurableObjectState, env: CoordinatorEnv) {
    super(ctx, env);
    ctx.storage.sql.exec(
      "CREATE TABLE IF NOT EXISTS runs (id TEXT PRIMARY KEY, created_at TEXT NOT NULL, open INTEGER NOT NULL DEFAULT 1)",
    );
    ctx.storage.sql.exec(
      `CREATE TABLE IF NOT EXISTS models (
        model TEXT PRIMARY KEY, tokenizer TEXT NOT NULL, run TEXT NOT NULL, val_loss REAL, published_at TEXT NOT NULL, active INTEGER NOT NULL
      )`,
    );
    // Earlier versions had only language models.
    const columns = ctx.storage.sql.exec<{ name: string }>("SELECT name FROM pragma_table_info('models')").toArray();
    if (!columns.some(({ name }) => name === "kind"))
      ctx.storage.sql.exec("ALTER TABLE models ADD COLUMN kind TEXT NOT NULL DEFAULT 'language'");
    ctx.storage.sql.exec(
      "CREATE TABLE IF NOT EXISTS cpu_rates (number INTEGER PRIMARY KEY, run TEXT NOT NULL UNIQUE, operations_per_second REAL NOT NULL)",
    );
  }

  /** Returns true if the run is new. */
  async addRun(id: string): Promise<boolean> {
    const added = this.ctx.storage.sql.exec(
      "INSERT OR IGNORE INTO runs (id, created_at) VALUES (?, ?) RETURNING id",
      id,
      new Date().toISOString(),
    );
    return added.toArray().length > 0;
  }

  /** Stores whether trainers may find work in a run. This is only a hint: the run itself decides. */
  async setOpen(id: string, open: boolean): Promise<void> {
    this.ctx.storage.sql.exec("UPDATE runs SET open = ? WHERE id = ?", open ? 1 : 0, id);
  }

  /** Stores the rate of a run's trainers. Deletes the rates of runs older than the newest RUNS_WITH_RATES. */
  async reportCpuRate(run: string, rate: number): Promise<void> {
    const { sql } = this.ctx.storage;
    sql.exec("INSERT OR REPLACE INTO cpu_rates (run, operations_per_second) VALUES (?, ?)", run, rate);
    sql.exec("DELETE FROM cpu_rates WHERE number <= (SELECT max(number) FROM cpu_rates) - ?", RUNS_WITH_RATES);
  }

  /** The operations per second that the plan of a new run assumes. */
  async cpuRate(): Promise<number> {
    const rows = this.ctx.storage.sql.exec<{ operations_per_second: number }>("SELECT operations_per_second FROM cpu_rates");
    return plannedRate(rows.toArray().map((row) => row.operations_per_second));
  }

  async removeRun(id: string): Promise<void> {
    this.ctx.storage.sql.exec("DELETE FROM runs WHERE id = ?", id);
  }

  async hasRun(id: string): Promise<boolean> {
    return this.ctx.storage.sql.exec("SELECT 1 FROM runs WHERE id = ?", id).toArray().length > 0;
  }

  /** Run ids, oldest first. */
  async runs(which: "all" | "open" = "all"): Promise<string[]> {
    return this.ctx.storage.sql
      .exec<{ id: string }>("SELECT id FROM runs WHERE open >= ? ORDER BY created_at, id", which === "open" ? 1 : 0)
      .toArray()
      .map(({ id }) => id);
  }

  /** Adds a model. Activates it unless `activates` is false. If the model is published already, only the active pointer moves. */
  async publish(model: Omit<Model, "publishedAt" | "active">, activates = true): Promise<void> {
    const { model: hash, tokenizer, run, valLoss, kind } = model;
    // The column of the tokenizer is older than models without one, and does not take null.
    this.ctx.storage.sql.exec(
      "INSERT OR IGNORE INTO models (model, tokenizer, run, val_loss, published_at, active, kind) VALUES (?, ?, ?, ?, ?, 0, ?)",
      hash,
      tokenizer ?? "",
      run,
      valLoss,
      new Date().toISOString(),
      kind,
    );
    if (activates) await this.activate(hash);
  }

  /** Moves the active pointer of the model's kind. The statements are one transaction, because no await separates them. Throws NotFound. */
  async activate(model: Hash): Promise<void> {
    const [found] = this.ctx.storage.sql.exec<{ kind: string }>("SELECT kind FROM models WHERE model = ?", model).toArray();
    if (found === undefined) throw namedError("NotFound", `model: expected the hash of a published model, got ${model}`);
    this.ctx.storage.sql.exec("UPDATE models SET active = (model = ?) WHERE kind = ?", model, found.kind);
  }

  async models(): Promise<Model[]> {
    return this.ctx.storage.sql
      .exec<{
        model: string;
        kind: ModelKind;
        tokenizer: string;
        run: string;
        val_loss: number | null;
        published_at: string;
        active: number;
      }>("SELECT * FROM models ORDER BY published_at DESC")
      .toArray()
      .map((row) => ({
        model: row.model,
        kind: row.kind,
        tokenizer: row.tokenizer === "" ? null : row.tokenizer,
        run: row.run,
        valLoss: row.val_loss,
        publishedAt: row.published_at,
        active: row.active === 1,
      }));
  }
}
