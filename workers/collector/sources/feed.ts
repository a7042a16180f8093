/**
 * The feed adapter. An entry with its full text is a document at the entry's own address. An entry with a summary is a link:
 * its page is fetched and read like a page of a site, but links in that page are not followed. Entries on other hosts are
 * refused, because only the host of a page can allow its use.
 */
import { decodeText } from "../web/decode.ts";
import { extractFragment, MIN_TEXT_LENGTH } from "../web/extract.ts";
import { reservationOf } from "../web/reservation.ts";
import { parseFeed, type FeedEntry } from "./feed-entries.ts";
import { site } from "./site.ts";
import type { Fetch, Finding, Resource, SourceAdapter } from "./source.ts";

/** Matches the end of a text that the feed has cut off. */
const CUT = /(?:…|\.\.\.|\[…\]|\[\.\.\.\]|read more\W*|continue reading[^.]{0,200})$/i;

export const feed: SourceAdapter = {
  usesSitemaps: false,
  followsWholeHost: true,
  streams: false,
  quality: "web",
  read,
};

async function* read(resource: Resource, fetchMore: Fetch): AsyncGenerator<Finding> {
  const entries = resource.status === 200 && !resource.truncated && !resource.reserved ? entriesOf(resource) : null;
  if (entries === null) {
    for await (const finding of site.read(resource, fetchMore)) if (finding.kind !== "links") yield finding;
    return;
  }
  const by = reservationOf(resource.headers);
  if (by !== null) return yield { kind: "refusal", refusal: { kind: "reserved", by } };
  const { origin } = new URL(resource.url);
  const pages: string[] = [];
  for (const entry of entries) {
    if (entry.url === null) yield { kind: "refusal", refusal: { kind: "unusable", cause: "address" } };
    else if (new URL(entry.url).origin !== origin) yield { kind: "refusal", refusal: { kind: "failure", cause: "left-host" } };
    else {
      const text = fullText(entry);
      const { title, lang, licence, url } = entry;
      if (text === null) pages.push(url);
      else yield { kind: "document", document: { url, text, title: extractFragment(title) ?? "", lang, licence } };
    }
  }
  yield { kind: "links", pages, sitemaps: [] };
}

/** XML states its charset in its first line; the Content-Type is ignored. */
function entriesOf({ bytes, headers, url }: Resource): FeedEntry[] | null {
  const type = headers.get("content-type") ?? "";
  const head = new TextDecoder("latin1").decode(bytes.subarray(0, 100));
  const asXml = type.replace(/^[^;]*/, "application/xml");
  return parseFeed(decodeText(bytes, /^\W*<\?xml\b/.test(head) ? asXml : type), url);
}

/** The text of an entry; null if the feed has only part of the text. */
function fullText({ content }: FeedEntry): string | null {
  const text = content.type === "html" ? extractFragment(content.value) : content.value.trim();
  return text === null || text.length < MIN_TEXT_LENGTH || CUT.test(text) ? null : text;
}
