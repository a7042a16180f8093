/** The tables of workers/README.md equal the estimates from today's prices, crons and presets. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { costTable, limitTable } from "../../../scripts/cloudflare/estimates.ts";
import { LARGEST_MESSAGES, messageTable } from "./messages.ts";
import { ROOT } from "../../../scripts/local/workers.ts";

const readme = readFileSync(join(ROOT, "workers/README.md"), "utf8");

/** The lines of the table under a header. */
function tableUnder(header: string): string[] {
  const lines = readme.split("\n");
  const start = lines.indexOf(header) + 2;
  return lines.slice(start, lines.indexOf("", start));
}

test("a month's costs in the README are the estimates", () => {
  expect(tableUnder("| a month of | bill | without included units |")).toEqual(costTable());
});

test("the presets' distance from the limits in the README is the estimate", () => {
  expect(
    tableUnder(
      "| preset | memory of a task | its weights and optimizer state | CPU time of a task | requests of a reduction of 250 shards |",
    ),
  ).toEqual(limitTable());
});

test("the largest messages in the README follow from the senders' limits, and take at most half of the platform's", () => {
  expect(tableUnder("| message | largest, bytes | of the limit |")).toEqual(messageTable());
  expect(LARGEST_MESSAGES.filter(({ bytes, limit }) => bytes > limit / 2)).toEqual([]);
});
