/**
 * The contract of a source adapter: one fetched resource in, a stream of findings out.
 *
 * An adapter is pure: it asks for nothing and stores nothing. The Host object fetches (politely), crawl-page.ts stores.
 * - Provenance and licence: each document carries its own URL and licence.
 * - Streaming: findings are stored one by one, so only one document of a resource is in memory beside its bytes.
 * - Bounded: a resource has at most MAX_PAGE_BYTES.
 * - Resumable: the unit is the resource. A crash reads it again, and the corpus knows the documents that it has.
 *
 * A new kind of source is one file here, one line in adapters.ts and its name in shared/contracts/sources.ts.
 */
import type { Refusal } from "../refusal.ts";

/** A sitemap only names further resources. */
export type ResourceKind = "page" | "sitemap";

/** A resource as a server sent it. */
export interface Resource {
  kind: ResourceKind;
  /** After redirects. */
  url: string;
  status: number;
  headers: Headers;
  bytes: Uint8Array<ArrayBuffer>;
  /** The server sent more than MAX_PAGE_BYTES. */
  truncated: boolean;
  /** robots.txt reserves the site's pages against training. */
  reserved: boolean;
}

export interface FoundDocument {
  /** Where a reader finds this text. */
  url: string;
  text: string;
  title: string;
  /** A BCP 47 language tag as the source states it; empty when it does not. */
  lang: string;
  /** An SPDX id or a URL; empty when the source states none. */
  licence: string;
}

export type Finding =
  | { kind: "document"; document: FoundDocument }
  | { kind: "refusal"; refusal: Refusal }
  /** Links that join the frontier as far as scope, budget and robots.txt allow. */
  | { kind: "links"; pages: readonly string[]; sitemaps: readonly string[] };

export interface SourceAdapter {
  /** Whether a crawl also reads the sitemaps of its host. */
  readonly usesSitemaps: boolean;
  /** Whether links are followed on the whole host, whatever the scope of the source is. */
  readonly followsWholeHost: boolean;
  read(resource: Resource): AsyncIterable<Finding>;
}
