import { expect, test } from "vitest";
import { retryAfterMs } from "../../../../workers/collector/web/retry-after.ts";

const NOW = Date.parse("2026-11-24T12:00:00Z");
const DAY_MS = 24 * 3600 * 1000;

test.each([
  ["120", 120_000],
  [" 0 ", 0],
  ["Tue, 24 Nov 2026 12:02:00 GMT", 120_000],
  ["Tue, 24 Nov 2026 11:00:00 GMT", 0],
  ["Fri, 31 Dec 2999 23:59:59 GMT", DAY_MS],
  ["99999999999999999999999999", DAY_MS],
  // These values are unusable, so the default of a minute applies.
  ["-5", 60_000],
  ["1.5", 60_000],
  ["soon", 60_000],
  ["", 60_000],
  [null, 60_000],
])("%j asks for a wait of %i ms", (value, ms) => {
  expect(retryAfterMs(value, NOW)).toBe(ms);
});
