import { expect, test } from "vitest";
import { KINDS, readMutations } from "../../../scripts/bench/support/interchange/hostile.ts";

test.each(KINDS)("a mutated %s gives a right result or a clear error, without reads outside the file", async (kind) => {
  const { accepted, refused, wrong } = await readMutations(kind, 300, 20);
  expect(wrong).toEqual([]);
  // Both outcomes must occur: otherwise the mutations are too weak or too strong to prove anything.
  expect([accepted > 0, refused > 150, accepted + refused]).toEqual([true, true, 300]);
});
