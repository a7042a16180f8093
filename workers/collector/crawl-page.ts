/**
 * Handles one queue message: the Host object fetches the page, the adapter of the source reads it, the catalog stores the
 * documents. If an adapter fails, its page is lost. If the catalog fails, the lease of the page expires and the page is sent
 * again.
 */
import { log } from "../../shared/log.ts";
import { isFailure, isWithdrawal, reasonOf, type Refusal } from "./refusal.ts";
import { ADAPTERS } from "./sources/adapters.ts";
import type { Finding, FoundDocument, Resource, ResourceKind } from "./sources/source.ts";
import { storeFindings } from "./store-findings.ts";
import { normalizeUrl, placeOf } from "./web/address.ts";
import type { Found, PageMessage, Visit } from "./web/host.ts";

type Catalog = ReturnType<CollectorEnv["CATALOG"]["getByName"]>;

export async function crawlPage(env: CollectorEnv, message: PageMessage): Promise<void> {
  const host = env.HOST.getByName(message.origin);
  const catalog = env.CATALOG.getByName("catalog");
  const visit = await host.visit(message);
  const startedAt = Date.now();
  // The time after the visit, with waits for the catalog: an upper bound of the CPU time.
  const complete = (found: Found) => host.complete(message, found, Math.max(0, Date.now() - startedAt));
  switch (visit.kind) {
    case "nothing":
      return;
    case "refused":
      await refuse(catalog, message, { kind: visit.entry, url: message.url }, visit.refusal);
      return complete({ pages: [], sitemaps: [], validators: null });
    case "unchanged":
      await catalog.countUnchanged(message.crawl, message.url);
      return complete({ pages: visit.links, sitemaps: [], validators: "unchanged" });
    case "fetched":
      return complete(await store(env, message, visit as Extract<Visit, { kind: "fetched" }>));
    default:
      return visit satisfies never;
  }
}

/** Stores the findings of an adapter. */
async function store(env: CollectorEnv, message: PageMessage, visit: Extract<Visit, { kind: "fetched" }>): Promise<Found> {
  const { adapter, resource, source, quality } = visit;
  const host = env.HOST.getByName(message.origin);
  const catalog = env.CATALOG.getByName("catalog");
  const fetchMore = async (url: string) => (await host.fetchMore(message, url)) as Resource | null;
  const stored = await storeFindings(
    readSafely(ADAPTERS[adapter].read(resource as Resource, fetchMore), message),
    { catalog, crawl: message.crawl, source, quality },
    prepared,
    (refusal) => refuse(catalog, message, resource, refusal),
  );
  const { pages, sitemaps, rest, urls } = stored;
  const entry = placeOf(message.url).url;
  // The page has moved, so its old address no longer has a text.
  if (urls.length > 0 && resource.rest === null && !urls.includes(entry)) await catalog.withdraw(entry);
  const address = normalizeUrl(resource.url) ?? resource.url;
  const isWholeFile = resource.rest === null && rest === null && urls.some((url) => url.startsWith(`${address}#`));
  if (isWholeFile) await catalog.withdrawRest(address, urls);
  // After a redirect, the validators belong to another address and are not used. A file in steps must be read from its beginning.
  const isKept = stored.isWhole && resource.status === 200 && resource.url === message.url && rest === null;
  const validators = { etag: resource.headers.get("etag"), lastModified: resource.headers.get("last-modified") };
  return { pages, sitemaps, rest, validators: isKept ? validators : null };
}

/** A redirect may lead to an address that is not allowed in a link. */
function prepared(found: FoundDocument): FoundDocument | Refusal {
  const url = normalizeUrl(found.url);
  return url === null ? { kind: "unusable", cause: "address" } : { ...found, url };
}

/** The findings of an adapter. If the adapter fails, the last finding is a refusal. Errors of the consumer pass through. */
async function* readSafely(findings: AsyncIterable<Finding>, { url, crawl }: PageMessage): AsyncGenerator<Finding> {
  try {
    yield* findings;
  } catch (error) {
    log("error", `${url}: unreadable: ${(error as Error).message}`, { crawl });
    yield { kind: "refusal", refusal: { kind: "unusable", cause: "unreadable" } };
  }
}

async function refuse(
  catalog: Catalog,
  message: PageMessage,
  resource: { kind: ResourceKind; url: string },
  refusal: Refusal,
): Promise<void> {
  if (isWithdrawal(refusal) && resource.kind === "page")
    for (const address of new Set([message.url, normalizeUrl(resource.url) ?? resource.url])) await catalog.withdraw(address);
  await skip(catalog, message, resource.kind, refusal);
}

async function skip(catalog: Catalog, { crawl, url }: PageMessage, kind: ResourceKind, refusal: Refusal): Promise<void> {
  if (kind === "page") return catalog.skip(crawl, reasonOf(refusal), isFailure(refusal) ? "failed" : "fetched", { url });
  // Sitemaps are optional: without a sitemap the crawl follows links. Most sites have none, so a 404 is not counted.
  if (refusal.kind !== "status" || refusal.status !== 404) await catalog.skip(crawl, `sitemap-${reasonOf(refusal)}`, "sitemap");
}
