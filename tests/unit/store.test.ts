/** Writes to a bucket that sometimes fails. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { putRecord } from "../../shared/store.ts";

// The waits between the tries take no time.
beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

test("tries a write four times before it fails", async () => {
  let puts = 0;
  const failing = (failures: number) =>
    ({
      put: async () => {
        if (puts++ < failures) throw new Error("R2 is away");
      },
    }) as unknown as R2Bucket;
  const startedAt = Date.now();
  const written = putRecord(failing(3), "k", {});
  await vi.runAllTimersAsync();
  await written;
  expect(puts).toBe(4);
  // R2 allows one write per key and second.
  expect(Date.now() - startedAt).toBeGreaterThan(1000);
  puts = 0;
  const failed = putRecord(failing(4), "k", {}).catch((error: Error) => error.message);
  await vi.runAllTimersAsync();
  expect(await failed).toBe("R2 is away");
});
