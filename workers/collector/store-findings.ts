/**
 * Stores the findings of an adapter: judges each document, adds documents to the corpus in small batches, counts refusals, and
 * collects links. Crawled pages and uploaded files both pass here.
 */
import type { Quality } from "../../shared/contracts/sources.ts";
import { candidateOf, type Candidate } from "./candidate.ts";
import { reasonOf, type Refusal } from "./refusal.ts";
import type { Finding, FoundDocument, Rest } from "./sources/source.ts";

type Catalog = ReturnType<CollectorEnv["CATALOG"]["getByName"]>;

/** Documents are stored in batches, because an invocation may make a limited number of calls. */
const BATCH = 100;
const BATCH_CHARACTERS = 512 * 1024;

export interface Stored {
  pages: string[];
  sitemaps: string[];
  rest: Rest | null;
  /** The addresses of the documents. */
  urls: string[];
  /** True if everything was kept, so an unchanged resource need not be read again. */
  isWhole: boolean;
}

interface Into {
  catalog: Catalog;
  crawl: string;
  source: string;
  quality: Quality;
}

/** `prepare` completes a document, or returns the reason not to keep it. `refuse` counts a refusal of the adapter. */
export async function storeFindings(
  findings: AsyncIterable<Finding>,
  { catalog, crawl, source, quality }: Into,
  prepare: (found: FoundDocument) => FoundDocument | Refusal,
  refuse: (refusal: Refusal) => Promise<void>,
): Promise<Stored> {
  const stored: Stored = { pages: [], sitemaps: [], rest: null, urls: [], isWhole: true };
  let batch: Candidate[] = [];
  let characters = 0;
  const flush = async () => {
    if (batch.length === 0) return;
    const verdicts = await catalog.append(crawl, source, batch);
    if (verdicts.some((verdict) => verdict === "removed" || verdict === "too-large")) stored.isWhole = false;
    [batch, characters] = [[], 0];
  };
  for await (const finding of findings) {
    if (finding.kind === "links") {
      stored.pages.push(...finding.pages);
      stored.sitemaps.push(...finding.sitemaps);
    } else if (finding.kind === "rest") stored.rest = { byte: finding.byte, state: finding.state };
    else if (finding.kind === "refusal") {
      stored.isWhole = false;
      await refuse(finding.refusal);
    } else {
      const found = prepare(finding.document);
      const candidate = "kind" in found ? found : await candidateOf(found, source, quality);
      if ("kind" in candidate) {
        stored.isWhole = false;
        const { url, text } = finding.document;
        await catalog.skip(crawl, reasonOf(candidate), "fetched", { url, bytes: new TextEncoder().encode(text).length });
        continue;
      }
      batch.push(candidate);
      stored.urls.push(candidate.document.url);
      characters += candidate.document.text.length;
      if (batch.length === BATCH || characters > BATCH_CHARACTERS) await flush();
    }
  }
  await flush();
  return stored;
}
