/** From votes to pairs, and from measured numbers to a verdict. */
import { describe, expect, test } from "vitest";
import { derivePairs, type RatedAnswer } from "../../shared/preferences/derive.ts";
import { chanceOf, judge, type Measured } from "../../shared/preferences/gate.ts";

const QUESTION = [{ role: "user", content: "q" }] as const;
const vote = (number: number, fields: Partial<RatedAnswer>): RatedAnswer => ({
  number,
  id: `a${number}`,
  rater: "ada",
  score: null,
  preferred: null,
  correction: null,
  createdAt: "2026-12-01",
  messages: QUESTION,
  response: `text ${number}`,
  candidates: [],
  ...fields,
});
const shown = (votes: RatedAnswer[], most?: number) =>
  derivePairs(votes, most).map(({ id, rater, rule, better, worse }) => [rule, rater, id, better, worse]);

describe("pairs from votes", () => {
  test("a preferred candidate is better than each different one", () => {
    expect(shown([vote(1, { preferred: 1, candidates: ["x", "y", " y ", "z", "z"] })])).toEqual([
      ["preferred", "ada", "a1", "y", "x"],
      ["preferred", "ada", "a1", "y", "z"],
    ]);
  });

  test("a correction is better than the answer, unless it is the same text", () => {
    expect(shown([vote(1, { correction: "right" }), vote(2, { correction: " text 2 " })])).toEqual([
      ["correction", "ada", "a1", "right", "text 1"],
    ]);
  });

  test("scores of answers to one question make pairs of the highest with the lowest, each vote once", () => {
    const scores = [0.2, 1, 0.6, 0, 0.9].map((score, index) => vote(index + 1, { score, rater: `r${index + 1}` }));
    // 1 with 0, 0.9 with 0.2; 0.6 is left.
    expect(shown(scores)).toEqual([
      ["scores", "r2", "a2", "text 2", "text 4"],
      ["scores", "r5", "a5", "text 5", "text 1"],
    ]);
    const other = vote(9, { score: 0, messages: [{ role: "user", content: "another" }] });
    expect(shown([vote(1, { score: 1 }), other])).toEqual([]);
    expect(shown([vote(1, { score: 0.7 }), vote(2, { score: 0.3 })])).toEqual([]);
  });

  test("do not depend on the order of the votes, and one person makes a limited number of them", () => {
    const votes = Array.from({ length: 40 }, (_, index) =>
      vote(index, { correction: `right ${index}`, rater: index < 30 ? "loud" : `r${index}` }),
    );
    expect(shown(votes.toReversed(), 5)).toEqual(shown(votes, 5));
    expect(shown(votes, 5).filter(([, rater]) => rater === "loud")).toHaveLength(5);
    expect(shown(votes, 5)).toHaveLength(15);
  });
});

describe("the gate", () => {
  // 8, 9 or 10 heads of 10: (45 + 10 + 1) / 1024.
  test("counts coins as the binomial coefficients do", () => {
    expect(chanceOf(8, 10)).toBeCloseTo(56 / 1024, 12);
    expect(chanceOf(0, 10)).toBeCloseTo(1, 12);
    expect(chanceOf(0, 0)).toBe(1);
    expect(chanceOf(2000, 2000)).toBeLessThan(1e-300);
  });

  const good: Measured = { pairs: 10, wins: 9, heldOut: { baseline: 2, candidate: 2.01 }, canaries: { right: 20, kept: 18 } };
  test.each([
    ["promotes what wins significantly and harms nothing", good, []],
    ["promotes without other held-out data", { ...good, heldOut: null, canaries: null }, []],
    ["refuses eight wins of ten, which chance gives too often", { ...good, wins: 8 }, ["preferences"]],
    ["refuses a model trained on inverted preferences", { ...good, wins: 1 }, ["preferences"]],
    ["refuses without any pair", { ...good, pairs: 0, wins: 0 }, ["preferences"]],
    ["refuses a loss that is more than 1 % worse", { ...good, heldOut: { baseline: 2, candidate: 2.03 } }, ["held-out loss"]],
    ["refuses changed answers", { ...good, canaries: { right: 20, kept: 17 } }, ["canaries"]],
  ] satisfies [string, Measured, string[]][])("%s", (_, measured, fields) => {
    const { passes, reasons } = judge(measured);
    expect(reasons.map((reason) => reason.split(":")[0])).toEqual(fields);
    expect(passes).toBe(fields.length === 0);
  });
});
