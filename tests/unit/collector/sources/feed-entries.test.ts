/** Feeds that are broken or hostile, and texts that are not feeds. */
import { expect, test } from "vitest";
import { parseFeed } from "../../../../workers/collector/sources/feed-entries.ts";

const BASE = "http://a.com/feed";
const rss = (body: string, head = "") => `<?xml version="1.0"?>${head}<rss version="2.0"><channel>${body}</channel></rss>`;

test.each([
  ["a page", "<!doctype html><html><body><p>rss</p></body></html>"],
  ["a sitemap", '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"><url><loc>http://a.com/</loc></url></urlset>'],
  ["plain text", "feed"],
  ["other JSON", '{"items": []}'],
  ["broken JSON", '{"version": "https://jsonfeed.org/version/1.1", '],
  ["nothing", ""],
])("distinguishes a feed from %s", (_, text) => {
  expect(parseFeed(text, BASE)).toBeNull();
});

test("reads RSS 1.0, whose items are beside the channel", () => {
  const rdf = `<rdf:RDF xmlns:rdf="r" xmlns="http://purl.org/rss/1.0/"><channel><title>c</title></channel>
    <item rdf:about="http://a.com/1"><title>One</title><link>http://a.com/1</link></item></rdf:RDF>`;
  expect(parseFeed(rdf, BASE)).toMatchObject([{ url: "http://a.com/1", title: "One", content: { value: "" } }]);
});

test("takes a web address from a link, else from a permanent guid", () => {
  const items = [
    "<link>/relative</link>",
    '<guid isPermaLink="true">http://a.com/guid</guid>',
    '<guid isPermaLink="false">http://a.com/guid</guid>',
    "<guid>tag:a.com,2026:1</guid>",
    "<link>javascript:alert(1)</link>",
    "<link><![CDATA[http://a.com/?a=1&b=2]]></link>",
    "<link>http://a.com/?a=1&amp;b=2</link>",
  ];
  const found = parseFeed(rss(items.map((item) => `<item>${item}</item>`).join("")), BASE)!;
  expect(found.map(({ url }) => url)).toEqual([
    "http://a.com/relative",
    "http://a.com/guid",
    null,
    null,
    null,
    "http://a.com/?a=1&b=2",
    "http://a.com/?a=1&b=2",
  ]);
});

test("keeps a title that looks like a number, and markup in escaped and CDATA content alike", () => {
  const items = `<item><title>2026</title><encoded>&lt;p&gt;a &amp;amp; b&lt;/p&gt;</encoded></item>
    <item><title>x</title><content:encoded><![CDATA[<p>a &amp; b</p>]]></content:encoded></item>`;
  const found = parseFeed(rss(items), BASE)!;
  expect(found.map(({ title, content }) => [title, content.value])).toEqual([
    ["2026", "<p>a &amp; b</p>"],
    ["x", "<p>a &amp; b</p>"],
  ]);
});

test("expands no entity that the feed declares, and reads at most 1,000 entries", () => {
  const levels = Array.from({ length: 12 }, (_, level) => `<!ENTITY e${level + 1} "${`&e${level};`.repeat(10)}">`).join("");
  const bomb = rss("<item><title>&e12;</title></item>".repeat(1500), `<!DOCTYPE rss [<!ENTITY e0 "boom">${levels}]>`);
  const found = parseFeed(bomb, BASE)!;
  expect(found).toHaveLength(1000);
  expect(found[0]!.title).not.toContain("boom");
});

test.each([
  ["nested elements", rss("<item><a>".repeat(100_000))],
  ["open CDATA sections", rss("<item><title><![CDATA[".repeat(100_000))],
  ["escapes", rss(`<item><title>${"&#x110000;&#xd800;".repeat(100_000)}</title></item>`)],
  ["attributes", rss(`<item ${"a=1 ".repeat(100_000)}/>`)],
])("reads %s in bounded time", (_, text) => {
  const { user } = process.threadCpuUsage();
  parseFeed(text, BASE);
  // Reading a feed takes less than a second. The limit leaves room for a slow machine.
  expect((process.threadCpuUsage().user - user) / 1e6).toBeLessThan(10);
});
