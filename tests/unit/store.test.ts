/** Writes to a bucket that fails now and then. */
import { expect, test } from "vitest";
import { putRecord } from "../../shared/store.ts";

test("tries a write three times before it fails", async () => {
  let puts = 0;
  const failing = (failures: number) =>
    ({
      put: async () => {
        if (puts++ < failures) throw new Error("R2 is away");
      },
    }) as unknown as R2Bucket;
  await putRecord(failing(2), "k", {});
  expect(puts).toBe(3);
  puts = 0;
  await expect(putRecord(failing(3), "k", {})).rejects.toThrow("R2 is away");
});
