/** The log of pages is bounded and is read in parts. */
import { expect, test } from "vitest";
import { PageLog, PAGES_KEPT } from "../../../workers/collector/page-log.ts";
import { storage } from "../coordinator/storage.ts";

test("only the newest pages of all crawls are kept, and each part of the list begins after the one before", () => {
  const log = new PageLog(storage().asStorage.sql);
  for (let page = 0; page < PAGES_KEPT + 60; page++) log.add(page < 40 ? "old" : "new", `https://a.com/${page}`, "refused", "too-short");
  const seen: string[] = [];
  let part = log.of("new", {});
  seen.push(...part.pages.map(({ url }) => url));
  while (part.cursor !== null) {
    part = log.of("new", { cursor: part.cursor });
    seen.push(...part.pages.map(({ url }) => url));
  }
  expect([seen.length, new Set(seen).size]).toEqual([PAGES_KEPT, PAGES_KEPT]);
  expect([seen[0], seen.at(-1)]).toEqual([`https://a.com/${PAGES_KEPT + 59}`, "https://a.com/60"]);
  expect(log.of("old", {})).toEqual({ pages: [], cursor: null });
  expect(log.of("new", { verdict: "kept" }).pages).toEqual([]);
});
