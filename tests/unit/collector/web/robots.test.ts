/** robots.txt against the cases of RFC 9309, and the address guard against all spellings of private addresses. */
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { isInScope, normalizeUrl } from "../../../../workers/collector/web/address.ts";
import { isAllowed, parseRobots } from "../../../../workers/collector/web/robots.ts";
import { refusalOf } from "../../../../shared/url-guard.ts";

/** CPU time of this thread. Other work on the machine does not lengthen it. */
const cpuMs = () => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
};
const CASES = "../shared/data/robots/rfc9309-cases.json";

/**
 * Cases in which RFC 9309 differs from the reference parser. The parser compares octets unchanged. Section 2.2.2 of the RFC
 * first encodes octets outside ASCII and decodes unreserved octets, in the rule and in the URL.
 */
const DECIDED_BY_RFC = [
  ["http://foo.bar/foo/bar/ツ", "/foo/bar/ツ"],
  ["http://foo.bar/foo/bar/ツ", "/foo/bar/%E3%83%84"],
  ["http://foo.bar/foo/bar/baz", "/foo/bar/%62%61%7A"],
] as const;

test.skipIf(!existsSync(CASES))(
  "agrees with the reference parser except where RFC 9309 decides otherwise (skipped where ../shared/data is absent)",
  () => {
    const cases = JSON.parse(readFileSync(CASES, "utf8")) as { agent: string; url: string; allowed: boolean; robots: string }[];
    // Four cases ask about an empty URL, which a crawler never has.
    const asked = cases.filter(({ url }) => url !== "");
    expect([cases.length, asked.length]).toEqual([145, 141]);
    const wrong = asked.filter(({ agent, url, robots, allowed }) => isAllowed(parseRobots(robots, agent), new URL(url)) !== allowed);
    expect(wrong.map(({ url, robots }) => [url, robots.trim().split("Allow: ")[1]])).toEqual(DECIDED_BY_RFC);
  },
);

// The table of RFC 9309, section 2.2.2, and the special characters of section 2.2.3.
test.each([
  ["/foo/bar?baz=quz", "/foo/bar?baz=quz"],
  ["/foo/bar?baz=https://foo.bar", "/foo/bar?baz=https%3A%2F%2Ffoo.bar"],
  ["/foo/bar/ツ", "/foo/bar/%E3%83%84"],
  ["/foo/bar/%E3%83%84", "/foo/bar/ツ"],
  ["/foo/bar/%62%61%7A", "/foo/bar/baz"],
  ["/path/file-with-a-%2A.html", "/path/file-with-a-*.html"],
  ["/path/foo-%24", "/path/foo-$"],
  ["/price$list", "/price$list"],
  // Characters that are percent-encoded in a URL.
  ["/{{product.url}}", "/{{product.url}}"],
  ["/{{product.url}}", "/%7B%7Bproduct.url%7D%7D"],
  ["/%7b%7Bproduct.url%7D%7d", "/{{product.url}}"],
  ['/a"b', "/a%22b"],
  ["/<a>", "/%3Ca%3E"],
  ["/a|b", "/a%7Cb"],
  ["/a%7cb", "/a|b"],
  ["/a^b", "/a^b"],
  ["/a`b", "/a`b"],
  ["/a\\b", "/a%5Cb"],
  ["/a b", "/a b"],
  ['/find?q="{x}"', '/find?q="{x}"'],
])("lets Disallow: %s forbid %s", (pattern, path) => {
  const robots = parseRobots(`User-agent: *\nDisallow: ${pattern}\n`);
  expect(isAllowed(robots, new URL(path, "http://foo.bar/"))).toBe(false);
  expect(isAllowed(robots, new URL("/else", "http://foo.bar/"))).toBe(true);
  expect(isAllowed(robots, new URL("/{other}", "http://foo.bar/"))).toBe(true);
});

test("does not treat an encoded star as a wildcard", () => {
  expect(isAllowed(parseRobots("User-agent: *\nDisallow: /file-%2A.html\n"), new URL("http://foo.bar/file-a.html"))).toBe(true);
});

test.each([
  ["blanks before a line separator", `a:${" ".repeat(8000)}x${" ".repeat(8000)}\u2028x`],
  ["number signs before a line separator", `a:${"#".repeat(16_000)}\u2028x`],
  ["a key without an end", "a".repeat(16_000)],
])("reads a file of %s in linear time", (_, line) => {
  const startedAt = cpuMs();
  parseRobots(`${line}\n`.repeat(30));
  // Matching takes a tenth of a second; a backtracking pattern would take many minutes.
  expect(cpuMs() - startedAt).toBeLessThan(5000);
});

test("reads keys with blanks around or instead of the colon, and ignores lines without blank and colon", () => {
  const robots = parseRobots("User-agent : *\n \tDisallow  :  /a \nDisallow /b\nDisallow\n: /c\nDisallow:/d#e\n");
  expect(robots.rules.map(({ pattern }) => pattern)).toEqual(["/a", "/b", "/d"]);
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

test("allows public addresses and the named local origin", () => {
  expect(refusalOf(new URL("https://example.com/a"), "")).toBeNull();
  expect(refusalOf(new URL("http://127.0.0.1:8080/a"), "http://127.0.0.1:8080")).toBeNull();
});

test("drops fragments, session ids and repeating paths, and stays in scope", () => {
  expect(normalizeUrl("https://example.com/a?sid=1&b=2#c")).toBe("https://example.com/a?b=2");
  expect(normalizeUrl("https://example.com/a/b/a/b/a/b")).toBeNull();
  expect(isInScope("https://example.com/docs/b", "https://example.com/docs/", "path")).toBe(true);
  expect(isInScope("https://example.com/blog/b", "https://example.com/docs/", "path")).toBe(false);
});
