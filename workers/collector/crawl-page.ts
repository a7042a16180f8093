/**
 * Handles one queue message: the Host object fetches the page, the adapter of the source reads it, the catalog stores the
 * documents. If an adapter fails, its page is lost. If the catalog fails, the lease of the page expires and the page is sent
 * again.
 */
import { log } from "../../shared/log.ts";
import { isFailure, isWithdrawal, reasonOf, type Refusal } from "./refusal.ts";
import { ADAPTERS } from "./sources/adapters.ts";
import type { Finding, FoundDocument, ResourceKind } from "./sources/source.ts";
import { corpusDocument } from "./corpus-document.ts";
import { normalizeUrl } from "./web/address.ts";
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
      return complete(await store(catalog, message, visit));
    default:
      return visit satisfies never;
  }
}

/** Stores the findings of an adapter, one by one. */
async function store(catalog: Catalog, message: PageMessage, visit: Extract<Visit, { kind: "fetched" }>): Promise<Found> {
  const { adapter, resource, source } = visit;
  const [pages, sitemaps]: [string[], string[]] = [[], []];
  let isWhole = resource.status === 200;
  for await (const finding of readSafely(ADAPTERS[adapter].read(resource), message)) {
    if (finding.kind === "document") isWhole = (await keep(catalog, message, source, finding.document)) && isWhole;
    else if (finding.kind === "refusal") {
      isWhole = false;
      await refuse(catalog, message, resource, finding.refusal);
    } else {
      pages.push(...finding.pages);
      sitemaps.push(...finding.sitemaps);
    }
  }
  // After a redirect, the validators belong to another address and are not used.
  const isHere = isWhole && resource.url === message.url;
  const validators = { etag: resource.headers.get("etag"), lastModified: resource.headers.get("last-modified") };
  return { pages, sitemaps, validators: isHere ? validators : null };
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

/** Stores a document. Returns true if the corpus now has its text. */
async function keep(catalog: Catalog, message: PageMessage, source: string, document: FoundDocument): Promise<boolean> {
  const url = normalizeUrl(document.url);
  if (url === null) {
    // A redirect may lead to an address that is not allowed in a link.
    await skip(catalog, message, "page", { kind: "unusable", cause: "address" });
    return false;
  }
  const verdict = await catalog.append(message.crawl, await corpusDocument({ ...document, url }, source));
  // The page has moved, so its old address no longer has a text.
  if (message.url !== url) await catalog.withdraw(message.url);
  return verdict === "stored" || verdict === "duplicate";
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
