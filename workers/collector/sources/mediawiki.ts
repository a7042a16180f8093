/**
 * The MediaWiki adapter: XML dumps, plain or packed with bzip2; pages of the REST API and of the Action API as JSON. Markup becomes
 * prose. Of a dump and of the Action API, only articles are read (namespace 0). A dump of any size is read in steps.
 */
import { z } from "zod";
import { peeked } from "../formats/first-chunk.ts";
import { readDump, type DumpPlace } from "../formats/mediawiki-dump.ts";
import { proseOfWikitext } from "../formats/wikitext.ts";
import { decodeText } from "../web/decode.ts";
import { MIN_TEXT_LENGTH } from "../web/extract.ts";
import { readAtMost } from "../../../shared/bytes/bounded.ts";
import { MAX_PAGE_BYTES } from "../web/fetch-page.ts";
import { chunksOf, refusalToRead, type Finding, type FoundDocument, type Resource, type SourceAdapter } from "./source.ts";

/** Markup that one step reads. At 2 MB/s this takes a step 4 s of CPU time. */
const STEP_CHARACTERS = 8 * 1024 * 1024;
/** All wikis of the Wikimedia Foundation (foundation.wikimedia.org/wiki/Policy:Terms_of_Use, section 7). */
const WIKIMEDIA = /(?:^|\.)(?:wikipedia|wiktionary|wikibooks|wikiquote|wikisource|wikinews|wikiversity|wikivoyage|wikimedia)\.org$/;
const WIKIMEDIA_LICENCE = "CC-BY-SA-4.0";

const licenceSchema = z.object({ url: z.string() });
/** A page of the REST API (mediawiki.org/wiki/API:REST_API/Reference). */
const restPageSchema = z.object({
  title: z.string(),
  source: z.string(),
  content_model: z.string().optional(),
  license: licenceSchema.optional(),
});
const restSearchSchema = z.object({ pages: z.array(z.object({ key: z.string() })) });
/** A list of pages of the Action API with `formatversion=2` (mediawiki.org/wiki/API:Query). */
const queryPageSchema = z.object({
  title: z.string(),
  ns: z.number().optional(),
  fullurl: z.string().optional(),
  pagelanguage: z.string().optional(),
  revisions: z
    .array(z.object({ slots: z.object({ main: z.object({ content: z.string(), contentmodel: z.string().optional() }) }) }))
    .optional(),
});
const querySchema = z.object({
  query: z.object({ pages: z.array(queryPageSchema) }).optional(),
  continue: z.record(z.string(), z.union([z.string(), z.number()])).optional(),
});
/** What a later step of a dump needs to know. */
const stateSchema = z.object({ base: z.string(), bit: z.number().nullable(), skip: z.number() });

export const mediawiki: SourceAdapter = { usesSitemaps: false, followsWholeHost: true, streams: true, quality: "basic", read };

async function* read(resource: Resource): AsyncGenerator<Finding> {
  const refusal = refusalToRead(resource);
  if (refusal !== null) return yield { kind: "refusal", refusal };
  const { first, all } = await peeked(chunksOf(resource));
  const isJson = /^\s*[[{]/.test(new TextDecoder().decode(first?.subarray(0, 100)));
  if (resource.rest === null && isJson) yield* readJson(resource, all);
  else yield* readPages(resource, all);
}

async function* readPages(resource: Resource, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Finding> {
  const state = resource.rest === null ? null : stateSchema.parse(JSON.parse(resource.rest.state));
  const from: DumpPlace | null =
    state === null || resource.rest === null ? null : { byte: resource.rest.byte, bit: state.bit, skip: state.skip };
  let base = state?.base ?? new URL("/wiki/", resource.url).href;
  let [characters, pages] = [0, 0];
  for await (const item of readDump(chunks, from)) {
    if (item.kind === "site") {
      if (URL.canParse("./x", item.base)) base = new URL("./", item.base).href;
    } else if (item.kind === "too-large") yield { kind: "refusal", refusal: { kind: "unusable", cause: "too-large" } };
    else {
      const { title, namespace, isRedirect, source } = item.page;
      pages++;
      if (namespace === 0 && !isRedirect && source !== null)
        yield foundPage({ url: new URL(encodeTitle(title), base).href, title, source, licence: licenceAt(base), lang: langAt(base) });
      characters += source?.length ?? 0;
      if (characters < STEP_CHARACTERS) continue;
      const { byte, bit, skip } = item.next;
      return yield { kind: "rest", byte, state: JSON.stringify({ base, bit, skip }) };
    }
  }
  if (pages === 0 && resource.rest === null) yield { kind: "refusal", refusal: { kind: "unusable", cause: "content-type" } };
}

const encodeTitle = (title: string) => `./${encodeURIComponent(title.replaceAll(" ", "_")).replaceAll("%2F", "/").replaceAll("%3A", ":")}`;
const licenceAt = (base: string) => (WIKIMEDIA.test(new URL(base).hostname) ? WIKIMEDIA_LICENCE : "");

/** The language of a Wikimedia project, from its subdomain. */
function langAt(base: string): string {
  const { hostname } = new URL(base);
  const [first = ""] = hostname.split(".");
  if (first === "simple") return "en";
  return WIKIMEDIA.test(hostname) && /^[a-z]{2,3}$/.test(first) && first !== "www" ? first : "";
}

/** `source`: the page's markup. */
function foundPage({ source, ...page }: Omit<FoundDocument, "text"> & { source: string }): Finding {
  const text = proseOfWikitext(source);
  if (text.length < MIN_TEXT_LENGTH) return { kind: "refusal", refusal: { kind: "unusable", cause: "too-short" } };
  return { kind: "document", document: { ...page, text } };
}

async function* readJson(resource: Resource, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Finding> {
  const { bytes, truncated } = await readAtMost(chunks, MAX_PAGE_BYTES);
  if (truncated) return yield { kind: "refusal", refusal: { kind: "unusable", cause: "too-large" } };
  let json: unknown;
  try {
    json = JSON.parse(decodeText(bytes, "application/json; charset=utf-8"));
  } catch {
    return yield { kind: "refusal", refusal: { kind: "unusable", cause: "unreadable" } };
  }
  const { url } = resource;
  const page = restPageSchema.safeParse(json);
  const list = restSearchSchema.safeParse(json);
  const query = querySchema.safeParse(json);
  if (page.success) {
    const { title, source, license } = page.data;
    yield foundPage({ url, title, source, licence: license?.url ?? licenceAt(url), lang: langAt(url) });
  } else if (list.success) {
    const api = url.replace(/\/v1\/.*$/, "/v1/page/");
    yield { kind: "links", pages: list.data.pages.map(({ key }) => `${api}${encodeURIComponent(key)}`), sitemaps: [] };
  } else if (query.success && (query.data.query !== undefined || query.data.continue !== undefined)) {
    for (const { title, ns, fullurl, pagelanguage, revisions } of query.data.query?.pages ?? []) {
      const main = revisions?.[0]?.slots.main;
      if (main === undefined || (ns ?? 0) !== 0 || (main.contentmodel ?? "wikitext") !== "wikitext") continue;
      const address = fullurl ?? new URL(encodeTitle(title), new URL("/wiki/", url)).href;
      yield foundPage({ url: address, title, source: main.content, licence: licenceAt(url), lang: pagelanguage ?? langAt(url) });
    }
    const next = new URL(url);
    for (const [name, value] of Object.entries(query.data.continue ?? {})) next.searchParams.set(name, String(value));
    if (query.data.continue !== undefined) yield { kind: "links", pages: [next.href], sitemaps: [] };
  } else yield { kind: "refusal", refusal: { kind: "unusable", cause: "content-type" } };
}
