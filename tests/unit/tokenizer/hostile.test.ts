import { expect, test } from "vitest";
import { readHostileTokenizers } from "../../../scripts/bench/support/hostile-tokenizer.ts";

test("500 damaged files give errors that name tokenizer.json, or another library's ids (10,000: npm run bench -- tokenizer)", () => {
  const { wrong, refused, right } = readHostileTokenizers(1, 500);
  expect(wrong).toEqual([]);
  // Both outcomes must occur, otherwise the damage proves nothing.
  expect(refused).toBeGreaterThan(100);
  expect(right).toBeGreaterThan(50);
});
