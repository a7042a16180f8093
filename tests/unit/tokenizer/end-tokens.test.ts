import { expect, test } from "vitest";
import { endTokensOf } from "../../../shared/artifacts.ts";
import { FORMER_LAYOUT, LAYOUT } from "../../../shared/tokenizer/layout.ts";
import { Tokenizer } from "../../../shared/tokenizer/tokenizer.ts";

test("a text ends with the tokens that its model's checkpoint lists", () => {
  expect(endTokensOf({ endTokens: [2, 0] }, new Tokenizer(LAYOUT.vocabulary([])))).toEqual([2, 0]);
});

test("for a checkpoint of an earlier version, it ends with every control token", () => {
  expect(endTokensOf({}, new Tokenizer(FORMER_LAYOUT.vocabulary([[97, 98]])))).toEqual([257, 258, 259]);
});
