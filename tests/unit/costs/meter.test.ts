/** The meter counts the operations of a binding and passes them on unchanged. */
import { expect, test } from "vitest";
import { Meter } from "../../../shared/costs/meter.ts";

test("operations of a bucket are counted by their price class, and deletions are free", async () => {
  class Bucket {
    readonly #objects = new Map<string, string>();
    async put(key: string, value: string) {
      this.#objects.set(key, value);
    }
    async get(key: string) {
      return this.#objects.get(key) ?? null;
    }
    async delete(key: string) {
      this.#objects.delete(key);
    }
  }
  const meter = new Meter();
  const bucket = meter.bucket(new Bucket() as unknown as R2Bucket);
  await bucket.put("a", "b");
  expect(await bucket.get("a")).toBe("b");
  await bucket.delete("a");
  expect(await bucket.get("a")).toBeNull();
  expect(meter.take()).toEqual({ r2ClassA: 1, r2ClassB: 2 });
  expect(meter.take()).toEqual({});
});

test("rows of a statement are counted after they have been read", () => {
  const cursors = [
    { rowsRead: 0, rowsWritten: 0 },
    { rowsRead: 0, rowsWritten: 1 },
  ];
  let next = 0;
  const meter = new Meter();
  const sql = meter.sql({ exec: () => cursors[next++] } as unknown as SqlStorage);
  sql.exec("SELECT");
  cursors[0]!.rowsRead = 5;
  sql.exec("INSERT");
  expect(meter.take()).toEqual({ sqlRowsRead: 5, sqlRowsWritten: 1 });
});

test("a message is three operations of the queue and an invocation", async () => {
  const sent: unknown[] = [];
  const queue = { sendBatch: async (messages: Iterable<unknown>) => sent.push(...messages) } as unknown as Queue;
  const meter = new Meter();
  await meter.queue(queue).sendBatch(new Set([{ body: 1 }, { body: 2 }]));
  expect(sent).toEqual([{ body: 1 }, { body: 2 }]);
  expect(meter.take()).toEqual({ queueOperations: 6, requests: 2 });
});

test("an object is billed for the time between calls, but for ten idle seconds at most", () => {
  const meter = new Meter();
  for (const now of [1000, 3000, 100_000]) meter.objectRequest(now);
  const { objectRequests, objectGbSeconds } = meter.take();
  expect(objectRequests).toBe(3);
  expect(objectGbSeconds).toBeCloseTo((2 + 10) * 0.128, 9);
});
