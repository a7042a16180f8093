/**
 * The contract of a source adapter: one fetched resource in, a stream of findings out.
 *
 * An adapter is pure: it neither fetches nor stores. The Host object fetches (politely), crawl-page.ts stores.
 * - Provenance and licence: each document carries its own URL and licence.
 * - Streaming: findings are stored one by one, so memory holds the resource's bytes and one document.
 * - Bounded: a resource has at most MAX_PAGE_BYTES.
 * - Resumable: after a crash the whole resource is read again. The corpus skips the documents that it already has.
 *
 * A new kind of source is one file here, one line in adapters.ts and its name in shared/contracts/sources.ts.
 */
import type { Refusal } from "../refusal.ts";

/** A page may become documents. A sitemap only names further resources. */
export type ResourceKind = "page" | "sitemap";

/** A resource as a server sent it. */
export interface Resource {
  kind: ResourceKind;
  /** The URL after redirects. */
  url: string;
  status: number;
  headers: Headers;
  bytes: Uint8Array<ArrayBuffer>;
  /** True if the server sent more than MAX_PAGE_BYTES. */
  truncated: boolean;
  /** True if robots.txt reserves the site's pages against training. */
  reserved: boolean;
}

export interface FoundDocument {
  /** The address at which people find this text. */
  url: string;
  text: string;
  title: string;
  /** A BCP 47 language tag as the source states it; empty if the source states none. */
  lang: string;
  /** An SPDX id or a URL; empty when the source states none. */
  licence: string;
}

export type Finding =
  | { kind: "document"; document: FoundDocument }
  | { kind: "refusal"; refusal: Refusal }
  /** Links to crawl. Scope, budget and robots.txt decide which links join the frontier. */
  | { kind: "links"; pages: readonly string[]; sitemaps: readonly string[] };

export interface SourceAdapter {
  /** True if a crawl also reads the sitemaps of its host. */
  readonly usesSitemaps: boolean;
  /** True if a crawl follows links on the whole host and ignores the source's scope. */
  readonly followsWholeHost: boolean;
  read(resource: Resource): AsyncIterable<Finding>;
}
