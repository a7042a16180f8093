/**
 * The collector in workerd is polite to hosts: robots.txt, crawl delay, one request at a time, Retry-After, redirects. The
 * clock runs in real time, because the gaps between requests are measured. Only a gap's minimum is checked.
 */
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { notFound, openWeb, page, prose, text, until, type Site } from "./web.ts";

const redirect = (location: string) => new Response(null, { status: 302, headers: { location } });
const urlset = (...paths: string[]) =>
  `<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">${paths.map((path) => `<url><loc>http://polite.com${path}</loc></url>`).join("")}</urlset>`;
let busy = 0;
let flaky = false;
const sitemapAnswered = Promise.withResolvers<void>();

const SITES: Record<string, Site> = {
  "polite.com": (path) => {
    if (path === "/robots.txt") return text("User-agent: *\nCrawl-delay: 1\nDisallow: /secret\nSitemap: http://polite.com/index.xml\n");
    if (path === "/index.xml")
      return text(
        "<sitemapindex><sitemap><loc>http://polite.com/map.xml.gz</loc></sitemap><sitemap><loc>http://other.com/map.xml</loc></sitemap></sitemapindex>",
        "text/xml",
      );
    if (path === "/map.xml.gz")
      return new Response(gzipSync(urlset("/mapped", "/secret/map")), { headers: { "content-type": "application/gzip" } });
    if (path === "/") return page(`${prose("home")}<a href="/moved">m</a><a href="/secret/page">s</a><a href="http://other.com/">o</a>`);
    if (path === "/moved") return redirect("/arrived");
    if (path === "/away") return redirect("/secret/away");
    return page(`${prose(path)}<a href="/away">a</a>`);
  },
  "busy.com": (path) => {
    if (path === "/robots.txt" || path === "/sitemap.xml") return notFound();
    busy++;
    return busy === 1 ? new Response("later", { status: 503, headers: { "retry-after": "3" } }) : page(prose("patience"));
  },
  "closed.com": (path) =>
    path === "/robots.txt" ? notFound() : new Response("no", { status: 429, headers: { "retry-after": "99999999999" } }),
  "slow.com": () => text("User-agent: *\nCrawl-delay: 3600\n"),
  "ill.com": () => new Response("ill", { status: 500 }),
  // Bytes that are not UTF-8 become nine times as long when a pattern is normalized.
  "endless.com": (path) => {
    if (path !== "/robots.txt") return page(`${prose(path)}<a href="/secret/page">s</a>`);
    const lines = `Disallow: /${"\xff".repeat(16_000)}\n`.repeat(100);
    return new Response(Uint8Array.from(`User-agent: *\nDisallow: /secret\n${lines}`, (char) => char.charCodeAt(0)));
  },
  "patient.com": (path) => (path === "/robots.txt" ? text("User-agent: *\nCrawl-delay: 3\n") : notFound()),
  "flaky.com": async (path) => {
    if (path !== "/robots.txt") {
      await sitemapAnswered.promise;
      return notFound();
    }
    return flaky ? new Response("for a moment", { status: 500 }) : text("User-agent: *\nDisallow: /secret\n");
  },
  "lured.com": () => redirect("http://169.254.169.254/robots.txt"),
  "inward.com": (path) => {
    if (path === "/robots.txt" || path === "/sitemap.xml") return notFound();
    const targets = [
      "http://169.254.169.254/latest",
      "http://127.0.0.1:8787/health",
      "http://[::1]/",
      "http://0x7f.1/",
      "file:///etc/passwd",
      "http://localhost/",
    ];
    if (path === "/")
      return page(prose("inward") + targets.map((target, index) => `<a href="/r${index}">r</a><a href="${target}">t</a>`).join(""));
    return redirect(targets[Number(path.slice(2))]!);
  },
};

let web: Awaited<ReturnType<typeof openWeb>>;
beforeAll(async () => {
  web = await openWeb(SITES, "system");
});
afterAll(() => web.close());

test.concurrent("sends a host one request at a time and keeps its delay, with two crawls and repeated messages", async () => {
  const [first, second] = await Promise.all([
    web.addSource("http://polite.com/"),
    web.addSource("http://polite.com/mapped", { scope: "path" }),
  ]);
  const crawls = await Promise.all([first, second].map(async ({ id }) => (await web.collector.startCrawls({ source: id }))[0]!));
  const { CRAWL } = await web.worker.getEnv();
  for (const { id } of crawls)
    for (let copy = 0; copy < 3; copy++) await CRAWL.send({ origin: "http://polite.com", crawl: id, url: "http://polite.com/mapped" });
  for (const { id } of crawls) await web.finished(id);

  const times = web.requests.filter(({ host }) => host === "polite.com").toSorted((a, b) => a.startedAt - b.startedAt);
  const gaps = times.slice(1).map(({ startedAt }, index) => startedAt - times[index]!.endedAt);
  // The runtime's timer may fire a few milliseconds early.
  expect(Math.min(...gaps)).toBeGreaterThan(990);
  const asked = web.asked("polite.com");
  expect(asked.slice(0, 2)).toEqual(["/robots.txt", "/index.xml"]);
  expect(asked).toEqual(expect.arrayContaining(["/map.xml.gz", "/mapped", "/arrived", "/away"]));
  expect(asked.filter((path) => path.startsWith("/secret"))).toEqual([]);
  expect(web.asked("other.com")).toEqual([]);
  // The two crawls fetch the page once each, although the test sends each message three times.
  expect(asked.filter((path) => path === "/mapped")).toHaveLength(2);
});

test.concurrent("comes back after the time that a busy host asks for", async () => {
  const crawl = await web.crawl("http://busy.com/");
  expect([crawl.documents, crawl.failed]).toEqual([1, 0]);
  const [refused, taken] = web.requests.filter(({ host, path }) => host === "busy.com" && path === "/");
  expect(taken!.startedAt - refused!.endedAt).toBeGreaterThan(2990);
});

test.concurrent("sends nothing more to a host that asks for a longer pause than a crawl can wait", async () => {
  const crawl = await web.crawl("http://closed.com/");
  expect(crawl.skipped).toEqual({ "retry-after": 1 });
  // Another crawl sends no request either, because the host asked for the pause.
  expect((await web.crawl("http://closed.com/other")).skipped).toEqual({ "retry-after": 1 });
  expect(web.asked("closed.com")).toEqual(["/robots.txt", "/sitemap.xml"]);
});

test.concurrent("requests no page of a host whose delay is too long or whose robots.txt cannot be read", async () => {
  expect((await web.crawl("http://slow.com/")).skipped).toEqual({ "crawl-delay": 1 });
  expect((await web.crawl("http://ill.com/")).skipped).toEqual({ robots: 1 });
  expect([...web.asked("slow.com"), ...web.asked("ill.com")]).toEqual(["/robots.txt", "/robots.txt"]);
});

test.concurrent("obeys a robots.txt whose rules would be too large to store", async () => {
  const crawl = await web.crawl("http://endless.com/");
  expect([crawl.documents, crawl.skipped]).toEqual([1, {}]);
  expect(web.asked("endless.com")).toEqual(["/robots.txt", "/sitemap.xml", "/"]);
});

test.concurrent("obeys a crawl delay from the first request after reading it", async () => {
  const { id } = await web.addSource("http://patient.com/");
  await web.collector.startCrawls({ source: id });
  await until(() => expect(web.asked("patient.com").slice(0, 2)).toEqual(["/robots.txt", "/sitemap.xml"]));
  const [robots, sitemap] = web.requests.filter(({ host }) => host === "patient.com");
  expect(sitemap!.startedAt - robots!.endedAt).toBeGreaterThan(2990);
});

test.concurrent("loses no entry and no link while robots.txt cannot be read, and requests nothing else", async () => {
  const { id } = await web.addSource("http://flaky.com/");
  const [crawl] = await web.collector.startCrawls({ source: id });
  await until(() => expect(web.asked("flaky.com")).toEqual(["/robots.txt", "/sitemap.xml"]));
  // While the sitemap is being fetched, the rules become too old and robots.txt fails.
  flaky = true;
  const storage = await web.worker.getDurableObjectStorage("HOST", { name: "http://flaky.com" });
  await storage.exec("UPDATE robots SET read_at = 0");
  sitemapAnswered.resolve();
  const entries = () => storage.exec("SELECT url, state, attempts FROM frontier WHERE kind = 'page' ORDER BY number");
  await until(async () => expect(await storage.exec("SELECT 1 FROM robots WHERE failing_since > 0")).toHaveLength(1));
  await until(async () => expect(await entries()).toEqual([{ url: "http://flaky.com/", state: "sent", attempts: 1 }]));
  expect(web.asked("flaky.com")).toEqual(["/robots.txt", "/sitemap.xml", "/robots.txt"]);
  expect(await web.collector.getCrawl(crawl!.id)).toMatchObject({ state: "running", failed: 0 });

  // The page may have been fetched earlier. Its links are judged by the rules that were read last.
  const { HOST } = await web.worker.getEnv();
  const message = { origin: "http://flaky.com", crawl: crawl!.id, url: "http://flaky.com/" };
  await HOST.getByName("http://flaky.com").complete(message, {
    pages: ["http://flaky.com/next", "http://flaky.com/secret"],
    sitemaps: [],
    validators: null,
  });
  expect(await entries()).toEqual([
    { url: "http://flaky.com/", state: "done", attempts: 1 },
    { url: "http://flaky.com/next", state: "sent", attempts: 1 },
  ]);
});

test.concurrent("follows no redirect and no link to a private address", async () => {
  const crawl = await web.crawl("http://inward.com/");
  expect([crawl.documents, crawl.failed]).toEqual([1, 6]);
  expect((await web.crawl("http://lured.com/")).skipped).toEqual({ robots: 1 });
  const known = new Set(Object.keys(SITES));
  expect(web.requests.filter(({ host }) => !known.has(host))).toEqual([]);
});

test.each(["http://10.0.0.1/", "http://localhost:8787/", "http://u:p@example.com/", "ftp://example.com/"])(
  "refuses to register %s",
  async (url) => {
    let refusal = "accepted";
    try {
      await web.addSource(url);
    } catch (error) {
      refusal = (error as Error).name;
    }
    expect(refusal).toBe("InvalidInput");
  },
);
