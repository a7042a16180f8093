/** The cost of usage, compared with the examples on Cloudflare's price pages. */
import { describe, expect, test } from "vitest";
import { addUsage, centsOfMonth, centsOfUsage, timesUsage, usageSchema } from "../../../shared/costs/usage.ts";

describe("a month", () => {
  // From developers.cloudflare.com/workers/platform/pricing/#example-pricing, examples 1 and 4.
  test.each([
    ["15 million requests of 7 ms", 15e6, 800],
    ["100 million requests of 7 ms", 100e6, 4540],
  ])("of %s costs what Cloudflare's example says", (_, requests, cents) => {
    expect(centsOfMonth({ requests, cpuMilliseconds: 7 * requests })).toBeCloseTo(cents, 6);
  });

  // From developers.cloudflare.com/r2/pricing/#standard-storage-example: $14.85, plus the price of the plan.
  test("of a thousand gigabytes in R2 costs what Cloudflare's example says", () => {
    expect(centsOfMonth({ r2GbMonths: 1000, r2ClassA: 1000, r2ClassB: 1e6 })).toBeCloseTo(500 + 1485, 6);
  });

  test("within the included units costs the plan alone", () => {
    expect(centsOfMonth({})).toBe(500);
    expect(centsOfMonth({ d1RowsRead: 1e9, queueOperations: 1e6, objectRequests: 1e6 })).toBe(500);
  });
});

test("without included units every unit costs", () => {
  // A million class A operations are 450 cents, a million CPU milliseconds 2 cents.
  expect(centsOfUsage({ r2ClassA: 1e6, cpuMilliseconds: 5e5 })).toBeCloseTo(451, 9);
  expect(centsOfUsage({})).toBe(0);
});

test("usages add up by unit, and a factor changes every unit", () => {
  const usage = { requests: 1, d1RowsRead: 2 };
  addUsage(usage, { requests: 3, r2ClassB: 4 });
  expect(usage).toEqual({ requests: 4, d1RowsRead: 2, r2ClassB: 4 });
  expect(timesUsage(usage, 2)).toEqual({ requests: 8, d1RowsRead: 4, r2ClassB: 8 });
});

test("a usage of unknown units, or of negative amounts, is refused", () => {
  expect(usageSchema.safeParse({ requests: 1 }).success).toBe(true);
  for (const usage of [{ bitcoins: 1 }, { requests: -1 }, { requests: "1" }]) expect(usageSchema.safeParse(usage).success).toBe(false);
});
