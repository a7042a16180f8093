/** robots.txt against the cases of RFC 9309, and the address guard against spellings of private addresses. */
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { isInScope, normalizeUrl } from "../../../workers/collector/frontier.ts";
import { isAllowed, parseRobots } from "../../../workers/collector/robots.ts";
import { refusalOf } from "../../../workers/collector/url-guard.ts";

const CASES = "../shared/data/robots/rfc9309-cases.json";

test.skipIf(!existsSync(CASES))("decides as the reference does, but for percent-encoding (skips without shared data)", () => {
  const cases = JSON.parse(readFileSync(CASES, "utf8")) as { test: string; agent: string; url: string; allowed: boolean; robots: string }[];
  const wrong = cases.filter(
    ({ agent, url, robots, allowed }) => URL.canParse(url) && isAllowed(parseRobots(robots, agent), new URL(url)) !== allowed,
  );
  // The reference compares bytes; RFC 9309 section 2.2.2 decodes unreserved octets, and our URLs arrive percent-encoded.
  const deviating = wrong.filter(({ test: name }) => name !== "ID_Encoding");
  expect(deviating.map(({ test: name, url }) => `${name} ${url.slice(0, 80)}`)).toEqual([]);
  expect(wrong.length).toBeLessThanOrEqual(3);
});

test.each([
  "http://127.0.0.1/",
  "http://2130706433/",
  "http://0x7f.1/",
  "http://[::ffff:127.0.0.1]/",
  "http://169.254.169.254/",
  "http://localhost/",
  "http://10.1/",
  "ftp://example.com/",
  "http://a@example.com/",
  "http://example.com:22/",
])("refuses %s", (href) => {
  expect(refusalOf(new URL(href), "")).not.toBeNull();
});

test("allows public addresses and the one local origin", () => {
  expect(refusalOf(new URL("https://example.com/a"), "")).toBeNull();
  expect(refusalOf(new URL("http://127.0.0.1:8080/a"), "http://127.0.0.1:8080")).toBeNull();
});

test("drops fragments, session ids and repeating paths, and keeps to the scope", () => {
  expect(normalizeUrl("https://example.com/a?sid=1&b=2#c")).toBe("https://example.com/a?b=2");
  expect(normalizeUrl("https://example.com/a/b/a/b/a/b")).toBeNull();
  expect(isInScope("https://example.com/docs/b", "https://example.com/docs/", "path")).toBe(true);
  expect(isInScope("https://example.com/blog/b", "https://example.com/docs/", "path")).toBe(false);
});
