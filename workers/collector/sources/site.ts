/** The site adapter: each page is a document, and its links name further pages. A sitemap names pages and other sitemaps. */
import type { Refusal } from "../refusal.ts";
import { decodeText, gunzip } from "../web/decode.ts";
import { extract, extractPlain, type Extraction } from "../web/extract.ts";
import { MAX_PAGE_BYTES } from "../web/fetch-page.ts";
import { parseSitemap } from "../web/sitemap.ts";
import { refusalOfAnswer, type Finding, type Resource, type SourceAdapter } from "./source.ts";

export const site: SourceAdapter = {
  usesSitemaps: true,
  followsWholeHost: false,
  streams: false,
  quality: "web",
  read: (resource) => (resource.kind === "sitemap" ? readSitemap(resource) : readPage(resource)),
};

const contentTypeOf = ({ headers }: Resource) => headers.get("content-type") ?? "";
const refused = (refusal: Refusal): Finding => ({ kind: "refusal", refusal });

async function* readSitemap(resource: Resource): AsyncGenerator<Finding> {
  const refusal = refusalOfAnswer(resource);
  if (refusal !== null) return yield refused(refusal);
  const unpacked = await gunzip(resource.bytes, MAX_PAGE_BYTES);
  if (unpacked === null) return yield refused({ kind: "unusable", cause: "too-large" });
  yield { kind: "links", ...parseSitemap(decodeText(unpacked, contentTypeOf(resource))) };
}

async function* readPage(resource: Resource): AsyncGenerator<Finding> {
  const refusal = refusalOfAnswer(resource);
  if (refusal !== null) return yield refused(resource.reserved ? { kind: "reserved", by: "ai-train=no" } : refusal);
  const found = extractionOf(resource);
  if (resource.reserved) yield refused({ kind: "reserved", by: "ai-train=no" });
  else if (found.refusal !== null) yield refused(found.refusal);
  else {
    const { text, title, lang } = found;
    yield { kind: "document", document: { url: resource.url, text, title, lang, licence: "" } };
  }
  yield { kind: "links", pages: found.links, sitemaps: [] };
}

function extractionOf(resource: Resource): Extraction {
  const { bytes, headers, url } = resource;
  const type = contentTypeOf(resource);
  if (/^text\/plain\b/i.test(type)) return extractPlain(decodeText(bytes, type), headers);
  if (/^(text\/html|application\/xhtml\+xml)\b/i.test(type)) return extract(decodeText(bytes, type), new URL(url), headers);
  return { text: "", title: "", lang: "", links: [], refusal: { kind: "unusable", cause: "content-type" } };
}
