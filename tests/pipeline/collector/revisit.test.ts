/**
 * Conditional requests on revisits (RFC 9110, section 13): an unchanged page is not sent again, and keeps its text and its
 * links.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { notFound, openWeb, page, prose, stored, type Site } from "./web.ts";

const DATE = "Tue, 24 Nov 2026 12:00:00 GMT";
const links = (...paths: string[]) => paths.map((path) => `<a href="${path}">l</a>`).join("");

/** Serves a page, or 304 if the request shows that the client has the current version. */
function served(headers: Headers, validators: Record<string, string>, body: string): Response {
  const isKnown =
    (validators.etag !== undefined && headers.get("if-none-match") === validators.etag) ||
    (validators["last-modified"] !== undefined && headers.get("if-modified-since") === validators["last-modified"]);
  return isKnown ? new Response(null, { status: 304, headers: validators }) : page(body, validators);
}

let edition = 1;
const site: Site = (path, headers) => {
  if (path === "/")
    return served(headers, { etag: '"home"' }, prose("home") + links("/etag", "/dated", "/plain", "/changing", "/reserving"));
  if (path === "/etag") return served(headers, { etag: 'W/"weak"' }, prose("tagged") + links("/below"));
  if (path === "/dated") return served(headers, { "last-modified": DATE }, prose("dated"));
  if (path === "/changing") return served(headers, { etag: `"${edition}"` }, prose(`edition ${edition}`));
  if (path === "/reserving")
    return served(headers, { etag: '"same"', ...(edition === 1 ? {} : { "x-robots-tag": "noai" }) }, prose("reserving"));
  if (path === "/plain" || path === "/below") return page(prose(path));
  return notFound();
};

let web: Awaited<ReturnType<typeof openWeb>>;
beforeAll(async () => {
  web = await openWeb({ "same.com": site, "shared.com": site });
});
afterAll(() => web.close());

const topics = async (source: string) => (await stored(web, source)).map(({ text }) => text.split(" is described")[0]!).toSorted();

test("a revisit asks whether pages have changed, keeps those that have not, and follows their links", async () => {
  edition = 1;
  const first = await web.crawl("http://same.com/");
  expect(first).toMatchObject({ fetched: 7, unchanged: 0, documents: 7 });
  expect(await topics(first.source)).toEqual(["/below", "/plain", "dated", "edition 1", "home", "reserving", "tagged"]);

  const again = await web.crawl("http://same.com/");
  expect(again).toMatchObject({ fetched: 7, unchanged: 5, documents: 0, duplicates: 2, failed: 0, skipped: {} });
  expect(await topics(first.source)).toEqual(["/below", "/plain", "dated", "edition 1", "home", "reserving", "tagged"]);

  edition = 2;
  const changed = await web.crawl("http://same.com/");
  // The answer 304 for /reserving states that its owner reserves the page now.
  expect(changed).toMatchObject({ fetched: 7, unchanged: 3, documents: 1, duplicates: 2, skipped: { noindex: 1 } });
  expect(await topics(first.source)).toEqual(["/below", "/plain", "dated", "edition 2", "home", "tagged"]);

  // When the owner allows the withdrawn page again, it is fetched in full.
  edition = 1;
  await web.crawl("http://same.com/");
  expect(await topics(first.source)).toEqual(["/below", "/plain", "dated", "edition 1", "home", "reserving", "tagged"]);
});

test("a page that one source knows is sent in full to another source", async () => {
  edition = 1;
  await web.crawl("http://shared.com/");
  const other = await web.crawl("http://shared.com/", { scope: "path" });
  expect(other).toMatchObject({ fetched: 7, unchanged: 0, duplicates: 7 });
  expect(await topics(other.source)).toHaveLength(7);
});
