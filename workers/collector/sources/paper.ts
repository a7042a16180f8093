/**
 * The paper adapter: papers as JATS XML (jats.nlm.nih.gov) or as the HTML that LaTeXML makes, as on arXiv. Formulas become TeX, and
 * lists of references are left out. A listing in Atom leads to the HTML of each paper on the same host.
 */
import { paperOfHtml } from "../formats/latexml.ts";
import { paperOfJats } from "../formats/jats.ts";
import type { FoundPaper } from "../formats/paper-text.ts";
import { decodeText } from "../web/decode.ts";
import { MIN_TEXT_LENGTH } from "../web/extract.ts";
import { parseFeed } from "./feed-entries.ts";
import { refusalToRead, type Finding, type Resource, type SourceAdapter } from "./source.ts";

/** An arXiv identifier in an address (info.arxiv.org/help/arxiv_identifier.html). */
const ARXIV_ID = /\/abs\/((?:\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?\/\d{7})(?:v\d+)?)$/;

export const paper: SourceAdapter = { usesSitemaps: false, followsWholeHost: true, streams: false, quality: "basic", read };

async function* read(resource: Resource): AsyncGenerator<Finding> {
  const refusal = refusalToRead(resource);
  if (refusal !== null) return yield { kind: "refusal", refusal };
  const { url, bytes, headers } = resource;
  const type = headers.get("content-type") ?? "";
  const head = new TextDecoder("latin1").decode(bytes.subarray(0, 200));
  const text = decodeText(bytes, /^\W*<\?xml\b/.test(head) ? type.replace(/^[^;]*/, "application/xml") : type);
  const entries = parseFeed(text, url);
  if (entries !== null) {
    const pages = entries.flatMap((entry) => {
      const id = ARXIV_ID.exec(entry.url ?? "")?.[1];
      if (id !== undefined) return [new URL(`/html/${id}`, url).href];
      return entry.url === null ? [] : [entry.url];
    });
    return yield { kind: "links", pages, sitemaps: [] };
  }
  const found: FoundPaper | null = /<article\b[^>]*\b(?:article-type|dtd-version)=/.test(text.slice(0, 5000))
    ? paperOfJats(text)
    : paperOfHtml(text);
  if (found === null) return yield { kind: "refusal", refusal: { kind: "unusable", cause: "content-type" } };
  if (found.text.length < MIN_TEXT_LENGTH) return yield { kind: "refusal", refusal: { kind: "unusable", cause: "too-short" } };
  yield { kind: "document", document: { url, ...found } };
}
