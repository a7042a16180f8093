import { expect, test } from "vitest";
import { readHostileTokenizers } from "../../../scripts/bench/support/hostile-tokenizer.ts";

test("500 damaged files bring errors that name tokenizer.json, or the ids of another library (npm run bench -- tokenizer: 10,000)", () => {
  const { wrong, refused, right } = readHostileTokenizers(1, 500);
  expect(wrong).toEqual([]);
  // Both outcomes must occur, or the damage says nothing.
  expect(refused).toBeGreaterThan(100);
  expect(right).toBeGreaterThan(50);
});
