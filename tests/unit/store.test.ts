/** Writes to a bucket that sometimes fails. */
import { expect, test } from "vitest";
import { putRecord } from "../../shared/store.ts";

test("tries a write four times before it fails", async () => {
  let puts = 0;
  const failing = (failures: number) =>
    ({
      put: async () => {
        if (puts++ < failures) throw new Error("R2 is away");
      },
    }) as unknown as R2Bucket;
  await putRecord(failing(3), "k", {});
  expect(puts).toBe(4);
  puts = 0;
  await expect(putRecord(failing(4), "k", {})).rejects.toThrow("R2 is away");
});
