/**
 * Counts what a Worker's own code uses: every operation of a bucket, a queue or an object's database passes through the meter to
 * the real binding. CPU time is not counted, because a Worker cannot read its own CPU time.
 */
import { OBJECT_GB, OPERATIONS_PER_MESSAGE } from "./prices.ts";
import { addUsage, type Usage } from "./usage.ts";

/** Operations of a bucket that have a price. developers.cloudflare.com/r2/pricing/ */
const R2_UNITS: Readonly<Record<string, "r2ClassA" | "r2ClassB">> = {
  put: "r2ClassA",
  list: "r2ClassA",
  createMultipartUpload: "r2ClassA",
  get: "r2ClassB",
  head: "r2ClassB",
};

/**
 * An object without calls is billed for at most this time after its last call.
 * developers.cloudflare.com/durable-objects/concepts/durable-object-lifecycle/
 */
const IDLE_MS = 10_000;

/** A copy of `target` with some members replaced. All other methods get `target` as `this`, because native objects need that. */
function withMembers<T extends object>(target: T, replaced: (name: string | symbol) => unknown): T {
  return new Proxy(target, {
    get(_, name): unknown {
      const member: unknown = replaced(name) ?? Reflect.get(target, name);
      return typeof member === "function" ? (...values: unknown[]) => Reflect.apply(member, target, values) as unknown : member;
    },
  });
}

export class Meter {
  #usage: Usage = {};
  /**
   * The last SQL statement. Its rows are counted when the next statement begins, because the number of rows is final only after
   * the caller has read them.
   */
  #cursor: { rowsRead: number; rowsWritten: number } | null = null;
  #activeAt: number | null = null;

  add(usage: Usage): void {
    addUsage(this.#usage, usage);
  }

  bucket(bucket: R2Bucket): R2Bucket {
    return withMembers(bucket, (name) => {
      const unit = R2_UNITS[String(name)];
      const member: unknown = Reflect.get(bucket, name);
      if (unit === undefined || typeof member !== "function") return undefined;
      return (...values: unknown[]): unknown => {
        this.add({ [unit]: 1 });
        return Reflect.apply(member, bucket, values);
      };
    });
  }

  /** Counts sent messages. Each message also starts an invocation of its consumer. */
  queue<T>(queue: Queue<T>): Queue<T> {
    const count = (messages: number) => this.add({ queueOperations: OPERATIONS_PER_MESSAGE * messages, requests: messages });
    return withMembers(queue, (name) => {
      if (name === "send")
        return (message: T, options?: QueueSendOptions) => {
          count(1);
          return queue.send(message, options);
        };
      if (name !== "sendBatch") return undefined;
      return (messages: Iterable<MessageSendRequest<T>>) => {
        const batch = Array.from(messages);
        count(batch.length);
        return queue.sendBatch(batch);
      };
    });
  }

  sql(sql: SqlStorage): SqlStorage {
    return withMembers(sql, (name) => {
      if (name !== "exec") return undefined;
      return (query: string, ...values: SqlStorageValue[]) => {
        this.#countRows();
        const cursor = sql.exec(query, ...values);
        this.#cursor = cursor;
        return cursor;
      };
    });
  }

  #countRows(): void {
    if (this.#cursor !== null) this.add({ sqlRowsRead: this.#cursor.rowsRead, sqlRowsWritten: this.#cursor.rowsWritten });
    this.#cursor = null;
  }

  /** Counts a call of an object: one request, and the time since the last call, at most IDLE_MS. */
  objectRequest(now: number): void {
    const active = Math.min(IDLE_MS, Math.max(0, now - (this.#activeAt ?? now)));
    this.#activeAt = now;
    this.add({ objectRequests: 1, objectGbSeconds: (active / 1000) * OBJECT_GB });
  }

  /** Returns the usage since the last call of `take`. */
  take(): Usage {
    this.#countRows();
    const usage = this.#usage;
    this.#usage = {};
    return usage;
  }
}
