/** One queue message: fetch what it names through its host, keep the text if it may be kept, hand on what it links to. */
import { documentSchema } from "../../shared/artifacts.ts";
import { sha256 } from "../../shared/store.ts";
import { decodeText, gunzip } from "./web/decode.ts";
import { extract, extractPlain, RESERVATIONS, type Extraction } from "./web/extract.ts";
import { MAX_PAGE_BYTES } from "./web/fetch-page.ts";
import { normalizeUrl } from "./frontier.ts";
import type { PageMessage, Visit } from "./web/host.ts";
import { parseSitemap, type Sitemap } from "./web/sitemap.ts";

/** Refusals that are the owner's last word on a page: its text of an earlier crawl counts no longer. */
const WITHDRAWALS = new Set(["status-404", "status-410", ...RESERVATIONS]);
const NOTHING: Sitemap = { pages: [], sitemaps: [] };

export async function crawlPage(env: CollectorEnv, message: PageMessage): Promise<void> {
  const host = env.HOST.getByName(message.origin);
  let found = NOTHING;
  try {
    const visit = await host.visit(message);
    if (visit === null) return;
    found = visit.kind === "sitemap" ? await readSitemap(env, message, visit) : await readPage(env, message, visit);
  } catch (error) {
    const [reason] = (error as Error).message.split(":");
    await env.CATALOG.getByName("catalog").skip(message.crawl, reason ?? "error", "failed");
  }
  await host.complete(message, found);
}

const typeOf = ({ page }: Visit) => page.headers.get("content-type") ?? "";

/** A sitemap is a help only: without it the crawl goes on by links. */
async function readSitemap(env: CollectorEnv, message: PageMessage, visit: Visit): Promise<Sitemap> {
  let reason = visit.page.truncated ? "too-large" : String(visit.page.status);
  try {
    if (reason === "200") return parseSitemap(decodeText(await gunzip(visit.page.bytes, MAX_PAGE_BYTES), typeOf(visit)));
  } catch (error) {
    reason = (error as Error).message.split(":")[0]!;
  }
  if (reason !== "404") await env.CATALOG.getByName("catalog").skip(message.crawl, `sitemap-${reason}`, "sitemap");
  return NOTHING;
}

async function readPage(env: CollectorEnv, message: PageMessage, visit: Visit): Promise<Sitemap> {
  const catalog = env.CATALOG.getByName("catalog");
  const { page } = visit;
  const type = typeOf(visit);
  let found: Extraction = { text: "", title: "", lang: "", links: [], refusal: null };
  if (page.status !== 200) found.refusal = `status-${page.status}`;
  else if (page.truncated) found.refusal = "too-large";
  else if (/^text\/plain\b/i.test(type)) found = extractPlain(decodeText(page.bytes, type), page.headers);
  else if (/^(text\/html|application\/xhtml\+xml)\b/i.test(type))
    found = extract(decodeText(page.bytes, type), new URL(page.url), page.headers);
  else found.refusal = "content-type";

  const refusal = visit.reserved ? "ai-train=no" : found.refusal;
  // A redirect may lead to an address that no link could have named.
  const url = normalizeUrl(page.url);
  if (refusal !== null || url === null) {
    if (WITHDRAWALS.has(refusal ?? "")) for (const address of new Set([message.url, url ?? page.url])) await catalog.withdraw(address);
    await catalog.skip(message.crawl, refusal ?? "address", page.status === 429 || page.status >= 500 ? "failed" : "fetched");
  } else {
    const { text, title, lang } = found;
    const hash = await sha256(new TextEncoder().encode(text));
    const fetchedAt = new Date().toISOString();
    const document = { id: hash, url, text, title, lang, licence: "", source: visit.source, fetchedAt, sha256: hash };
    await catalog.append(message.crawl, documentSchema.parse(document));
    // It has moved, and the text of its new place is no second one.
    if (message.url !== url) await catalog.withdraw(message.url);
  }
  return { pages: found.links, sitemaps: [] };
}
