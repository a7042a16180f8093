/**
 * Counts what a Worker's own code uses: each operation of a bucket, a queue or an object's database goes through the meter
 * to the real binding. CPU time is not among it, because a Worker cannot read its own.
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

/** An idle object is billed for no longer than this. developers.cloudflare.com/durable-objects/concepts/durable-object-lifecycle/ */
const IDLE_MS = 10_000;

/** `target` with some members in the place of its own. Its methods keep the target as `this`, which native objects need. */
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
  /** The last statement: its rows are counted when the next statement begins, because reading them is what it costs. */
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

  /** Each message also starts an invocation. */
  queue<T>(queue: Queue<T>): Queue<T> {
    const count = (messages: number) => this.add({ queueOperations: OPERATIONS_PER_MESSAGE * messages, requests: messages });
    return withMembers(queue, (name) => {
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

  /** A call of an object: a request, and the time since the last call unless the object was idle meanwhile. */
  objectRequest(now: number): void {
    const active = Math.min(IDLE_MS, Math.max(0, now - (this.#activeAt ?? now)));
    this.#activeAt = now;
    this.add({ objectRequests: 1, objectGbSeconds: (active / 1000) * OBJECT_GB });
  }

  /** What was counted since the last call. */
  take(): Usage {
    this.#countRows();
    const usage = this.#usage;
    this.#usage = {};
    return usage;
  }
}
