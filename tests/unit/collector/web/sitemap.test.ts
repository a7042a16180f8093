/** Every form of a sitemap, with public and hostile examples. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { ROOT } from "../../../../scripts/local/workers.ts";
import { decodeText, gunzip } from "../../../../workers/collector/web/decode.ts";
import { parseSitemap } from "../../../../workers/collector/web/sitemap.ts";

const FOLDER = join(ROOT, "..", "shared", "data", "sitemaps");
const urlset = (body: string, head = "") =>
  `<?xml version="1.0"?>${head}<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">${body}</urlset>`;

// Counted by hand in the files. One of the four RSS items has no link.
test.skipIf(!existsSync(FOLDER)).each([
  ["sitemap.ns.xml", 2, 0],
  ["sitemap.index.xml", 0, 15],
  ["sitemap-news.xml", 2, 0],
  ["sitemap-images.xml", 1, 0],
  ["sitemap.txt", 2, 0],
  ["xmlSitemap.gz", 5, 0],
  ["feed.rss", 3, 0],
  ["atom.xml", 1, 0],
])("reads %s: %i pages, %i sitemaps (skipped where ../shared/data is absent)", async (file, pages, sitemaps) => {
  const unpacked = await gunzip(new Uint8Array(readFileSync(join(FOLDER, file))), 1e6);
  const found = parseSitemap(decodeText(unpacked!, "text/xml"));
  expect([found.pages.length, found.sitemaps.length]).toEqual([pages, sitemaps]);
});

test("takes a byte-order mark, white space, CDATA and the entities of XML", () => {
  const xml = `\uFEFF  ${urlset("<url><loc> http://a.test/?b=1&amp;c=2 </loc></url><url><loc><![CDATA[http://a.test/d]]></loc></url>")}`;
  expect(parseSitemap(xml).pages).toEqual(["http://a.test/?b=1&c=2", "http://a.test/d"]);
});

test("expands no entity that the file declares, at any depth", () => {
  const levels = Array.from({ length: 12 }, (_, level) => `<!ENTITY e${level + 1} "${`&e${level};`.repeat(10)}">`).join("");
  const bomb = urlset(
    "<url><loc>http://a.test/&e12;</loc></url><url><loc>http://a.test/b</loc></url>",
    `<!DOCTYPE u [<!ENTITY e0 "boom">${levels}]>`,
  );
  for (const page of parseSitemap(bomb).pages) expect(page).not.toContain("boom");
});

test("keeps at most 50,000 addresses, and drops addresses outside the web", () => {
  const many = urlset(Array.from({ length: 50_100 }, (_, page) => `<url><loc>http://a.test/${page}</loc></url>`).join(""));
  expect(parseSitemap(many).pages).toHaveLength(50_000);
  expect(parseSitemap(urlset("<url><loc>javascript:1</loc></url><url><loc/></url><url/>")).pages).toEqual([]);
  expect(parseSitemap("<html><p>no map").pages).toEqual([]);
});

test("counts the unpacked bytes of a gzip bomb while unpacking", async () => {
  const bomb = new Uint8Array(gzipSync(new Uint8Array(20_000_000)));
  expect(bomb.length).toBeLessThan(100_000);
  expect(await gunzip(bomb, 1_000_000)).toBeNull();
});
