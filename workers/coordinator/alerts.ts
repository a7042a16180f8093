/**
 * Sends alerts to the operator's webhook, WEBHOOK_URL, once each. An alert stays open until the webhook accepts it or MAX_TRIES
 * attempts have failed. The coordinator's cron attempts once a minute.
 */
import { log } from "../../shared/log.ts";
import { refusalOf } from "../../shared/url-guard.ts";

/** The most attempts to send an alert. */
const MAX_TRIES = 5;
/** The most alerts that one call sends. */
const MAX_SENT = 10;
const TIMEOUT_MS = 10_000;

/** The reason why alerts cannot be sent to an address; null if they can. */
export function refusalOfWebhook(address: string): string | null {
  if (!URL.canParse(address)) return "expected a web address";
  const url = new URL(address);
  return url.protocol === "https:" ? refusalOf(url, "") : `scheme: expected https, got ${url.protocol}`;
}

type Send = (address: string, init: RequestInit) => Promise<Response>;

export class Alerts {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec(
      "CREATE TABLE IF NOT EXISTS alerts (name TEXT PRIMARY KEY, message TEXT NOT NULL, at TEXT NOT NULL, tries INTEGER NOT NULL, open INTEGER NOT NULL)",
    );
    sql.exec("CREATE INDEX IF NOT EXISTS alerts_open ON alerts (at) WHERE open = 1");
  }

  /** Stores an alert to send. Does nothing if an alert of the same name was raised before. */
  raise(name: string, message: string, now: number): void {
    const raised = this.#sql.exec(
      "INSERT OR IGNORE INTO alerts VALUES (?, ?, ?, 0, 1) RETURNING name",
      name,
      message,
      new Date(now).toISOString(),
    );
    if (raised.toArray().length > 0) log("warn", `alert: ${message}`);
  }

  unsent(): number {
    return this.#sql.exec<{ n: number }>("SELECT COUNT(*) AS n FROM alerts WHERE open = 1").toArray()[0]!.n;
  }

  /** Sends the open alerts. Never throws. */
  async send(address: string, send: Send): Promise<void> {
    if (address === "") return;
    const open = this.#sql
      .exec<{ name: string; message: string; at: string; tries: number }>(
        "SELECT name, message, at, tries FROM alerts WHERE open = 1 ORDER BY at LIMIT ?",
        MAX_SENT,
      )
      .toArray();
    if (open.length === 0) return;
    const refusal = refusalOfWebhook(address);
    if (refusal !== null) return log("error", `WEBHOOK_URL: ${refusal}`);
    for (const { name, message, at, tries } of open) {
      const isTaken = await this.#post(address, { name, message, at }, send);
      this.#sql.exec("UPDATE alerts SET tries = tries + 1, open = ? WHERE name = ?", isTaken || tries + 1 >= MAX_TRIES ? 0 : 1, name);
    }
  }

  async #post(address: string, alert: { name: string; message: string; at: string }, send: Send): Promise<boolean> {
    try {
      const response = await send(address, {
        method: "POST",
        headers: { "content-type": "application/json" },
        // Many chat services show the field `text`.
        body: JSON.stringify({ text: `Tiffin: ${alert.message}`, ...alert }),
        // A redirect could lead to an address that `refusalOfWebhook` would refuse.
        redirect: "manual",
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      await response.body?.cancel();
      if (response.ok) return true;
      log("warn", `webhook: expected a status of 2xx, got ${response.status}`);
    } catch (error) {
      log("warn", `webhook: ${(error as Error).message}`);
    }
    return false;
  }
}
