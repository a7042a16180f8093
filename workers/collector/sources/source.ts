/**
 * The contract of a source adapter: one fetched resource in, a stream of findings out.
 *
 * An adapter neither fetches nor stores by itself. The Host object fetches (politely), crawl-page.ts stores.
 * - Provenance and licence: each document carries its own URL and licence.
 * - Streaming: findings are stored in small batches. A resource has at most MAX_PAGE_BYTES; adapters that stream get larger
 *   resources chunk by chunk.
 * - Resumable: after a crash the resource is read again, and the corpus skips the documents that it already has. An adapter reads a
 *   very large resource in steps: a `rest` ends a step, and the next step begins there.
 *
 * A new kind of source is one file here, one line in adapters.ts and its name in shared/contracts/sources.ts.
 */
import type { Quality } from "../../../shared/contracts/sources.ts";
import type { Refusal } from "../refusal.ts";
import { reservationOf } from "../web/reservation.ts";

/** A page may become documents. A sitemap only names further resources. */
export type ResourceKind = "page" | "sitemap";

/** Where a step of a large resource begins: at a byte of the resource, with what the adapter must know there. */
export interface Rest {
  byte: number;
  state: string;
}

/** A resource as a server sent it. */
export interface Resource {
  kind: ResourceKind;
  /** The URL after redirects. */
  url: string;
  status: number;
  headers: Headers;
  /** The content; empty if it is streamed. */
  bytes: Uint8Array<ArrayBuffer>;
  /** The content from the beginning of `rest`, for adapters that stream; else null. */
  body: ReadableStream<Uint8Array> | null;
  /** Null at the beginning of the resource. */
  rest: Rest | null;
  /** True if the server sent more than MAX_PAGE_BYTES. */
  truncated: boolean;
  /** True if robots.txt reserves the site's pages against training. */
  reserved: boolean;
}

export interface FoundDocument {
  /** The address at which people find this text. */
  url: string;
  /** A part of the resource at `url`, such as a chapter. It becomes the address's fragment. */
  part?: string;
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
  | { kind: "links"; pages: readonly string[]; sitemaps: readonly string[] }
  /** The last finding of a step. The rest of the resource is another entry of the frontier. */
  | ({ kind: "rest" } & Rest);

/** Fetches a further resource of the same host that belongs to the same document, at its turn. Null if it may not be had. */
export type Fetch = (url: string) => Promise<Resource | null>;

export interface SourceAdapter {
  /** True if a crawl also reads the sitemaps of its host. */
  readonly usesSitemaps: boolean;
  /** True if a crawl follows links on the whole host and ignores the source's scope. */
  readonly followsWholeHost: boolean;
  /** True if resources of any size arrive as streams. */
  readonly streams: boolean;
  /** The quality that documents need if the operator chooses none. The README gives the reasons. */
  readonly quality: Quality;
  read(resource: Resource, fetchMore: Fetch): AsyncIterable<Finding>;
}

/** The content of a resource, chunk by chunk. */
export async function* chunksOf({ body, bytes }: Resource): AsyncGenerator<Uint8Array> {
  if (body === null) yield bytes;
  else yield* body;
}

/** Why an answer has no content to read. Null if it has. */
export function refusalOfAnswer({ status, truncated }: Resource): Refusal | null {
  if (status !== 200 && status !== 206) return { kind: "status", status };
  return truncated ? { kind: "unusable", cause: "too-large" } : null;
}

/** Why an answer may not be read: it has no content, or robots.txt or its headers reserve it. Null if it may. */
export function refusalToRead(resource: Resource): Refusal | null {
  const refusal = refusalOfAnswer(resource);
  if (refusal !== null) return refusal;
  const by = resource.reserved ? "ai-train=no" : reservationOf(resource.headers);
  return by === null ? null : { kind: "reserved", by };
}
