/**
 * One queue message: the Host object fetches what it names, the source's adapter reads it, the catalog stores what was
 * found. An adapter that fails costs its page; a catalog that fails costs a lease, after which the page is sent again.
 */
import { documentSchema } from "../../shared/artifacts.ts";
import { sha256 } from "../../shared/store.ts";
import { isFailure, isWithdrawal, reasonOf, type Refusal } from "./refusal.ts";
import { ADAPTERS } from "./sources/adapters.ts";
import type { Finding, FoundDocument, Resource, ResourceKind } from "./sources/source.ts";
import { normalizeUrl } from "./web/address.ts";
import type { PageMessage } from "./web/host.ts";

type Catalog = ReturnType<CollectorEnv["CATALOG"]["getByName"]>;

export async function crawlPage(env: CollectorEnv, message: PageMessage): Promise<void> {
  const host = env.HOST.getByName(message.origin);
  const catalog = env.CATALOG.getByName("catalog");
  const visit = await host.visit(message);
  if (visit.kind === "nothing") return;
  const found = { pages: [] as string[], sitemaps: [] as string[] };
  if (visit.kind === "refused") await skip(catalog, message, visit.entry, visit.refusal);
  else {
    const { adapter, resource, source } = visit;
    for await (const finding of readSafely(ADAPTERS[adapter].read(resource), message.url)) {
      if (finding.kind === "document") await keep(catalog, message, source, finding.document);
      else if (finding.kind === "refusal") await refuse(catalog, message, resource, finding.refusal);
      else {
        found.pages.push(...finding.pages);
        found.sitemaps.push(...finding.sitemaps);
      }
    }
  }
  await host.complete(message, found);
}

/** What an adapter finds until it fails; a failure is its last finding. Errors of the reader of this stream pass through. */
async function* readSafely(findings: AsyncIterable<Finding>, url: string): AsyncGenerator<Finding> {
  try {
    yield* findings;
  } catch (error) {
    // oxlint-disable-next-line no-console -- the crawl counts the page; the cause is only here
    console.error(`${url}: unreadable: ${(error as Error).message}`);
    yield { kind: "refusal", refusal: { kind: "unusable", cause: "unreadable" } };
  }
}

async function keep(catalog: Catalog, message: PageMessage, source: string, document: FoundDocument): Promise<void> {
  const url = normalizeUrl(document.url);
  // A redirect may lead to an address that no link could have named.
  if (url === null) return skip(catalog, message, "page", { kind: "unusable", cause: "address" });
  const hash = await sha256(new TextEncoder().encode(document.text));
  const fetchedAt = new Date().toISOString();
  await catalog.append(message.crawl, documentSchema.parse({ ...document, id: hash, url, source, fetchedAt, sha256: hash }));
  // The page has moved; the text at its old address is no second document.
  if (message.url !== url) await catalog.withdraw(message.url);
}

async function refuse(catalog: Catalog, message: PageMessage, resource: Resource, refusal: Refusal): Promise<void> {
  if (isWithdrawal(refusal) && resource.kind === "page")
    for (const address of new Set([message.url, normalizeUrl(resource.url) ?? resource.url])) await catalog.withdraw(address);
  await skip(catalog, message, resource.kind, refusal);
}

async function skip(catalog: Catalog, { crawl }: PageMessage, kind: ResourceKind, refusal: Refusal): Promise<void> {
  if (kind === "page") return catalog.skip(crawl, reasonOf(refusal), isFailure(refusal) ? "failed" : "fetched");
  // A sitemap only helps: without it the crawl goes on by links, and most sites have none.
  if (refusal.kind !== "status" || refusal.status !== 404) await catalog.skip(crawl, `sitemap-${reasonOf(refusal)}`, "sitemap");
}
