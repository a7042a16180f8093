/**
 * The book adapter: a book of Project Gutenberg as text or HTML. The licence header and footer go, lines that were wrapped for
 * print are joined, and each chapter is a document. On other pages, links to books are followed.
 */
import { partsOfBook } from "../formats/book-chapters.ts";
import { decodeText } from "../web/decode.ts";
import { extract, extractFragment } from "../web/extract.ts";
import { refusalToRead, type Finding, type Resource, type SourceAdapter } from "./source.ts";

/** The marks around a book, in their forms since 1991. */
const START = /^[ \t]*\*{3} ?START OF (?:THE|THIS) PROJECT GUTENBERG E-?BOOK[^\n]{0,300}$|^\*END[* ]*THE SMALL PRINT![^\n]{0,300}$/im;
const END = /^[ \t]*\*{3} ?END OF (?:THE|THIS) PROJECT GUTENBERG E-?BOOK|^[ \t]*End of (?:the )?Project Gutenberg(?:'s|’s)/im;
const CREDITS =
  /^(?:Produced by|E-?text prepared by|This e-?(?:book|text) was produced|HTML version by|\[?Illustration|\[?Transcriber['’]s note)[^]{0,600}?\n[ \t]*\n/i;
/** Project Gutenberg states that most of its books are not protected in the USA; the header of others says so. */
const PUBLIC_DOMAIN = "LicenseRef-public-domain-in-the-USA";
const COPYRIGHTED = /\bcopyrighted Project Gutenberg|\bCopyright \(C\) \d{4}/i;
const LANGUAGES: Readonly<Record<string, string>> = {
  english: "en", french: "fr", german: "de", finnish: "fi", dutch: "nl", italian: "it", spanish: "es", portuguese: "pt", chinese: "zh", hungarian: "hu",
  greek: "el", swedish: "sv", esperanto: "eo", latin: "la", danish: "da", catalan: "ca", polish: "pl", russian: "ru", norwegian: "no", welsh: "cy",
}; // prettier-ignore
/** Links of a list that lead to a book's text or HTML, or to the next list. */
const BOOK_LINK = /\.(?:txt|htm|html)(?:\.utf-8|\.images)?$|\.txt\.utf-8$|\.html\.images$|[?&]start_index=\d+/i;

export const book: SourceAdapter = { usesSitemaps: false, followsWholeHost: true, streams: false, quality: "basic", read };

async function* read(resource: Resource): AsyncGenerator<Finding> {
  const refusal = refusalToRead(resource);
  if (refusal !== null) return yield { kind: "refusal", refusal };
  const { bytes, headers, url } = resource;
  const written = decodeText(bytes, headers.get("content-type") ?? "").replaceAll(/\r\n?/g, "\n");
  const isHtml = /^\s*(?:<\?xml[^>]*>\s*)?(?:<!doctype html|<html)/i.test(written.replace(/^\uFEFF/, ""));
  const text = isHtml ? extractFragment(written) : written;
  if (text === null) return yield { kind: "refusal", refusal: { kind: "unusable", cause: "too-complex" } };
  const start = START.exec(text);
  if (start === null) {
    const links = isHtml ? extract(written, new URL(url), headers).links : [];
    if (links.length === 0) yield { kind: "refusal", refusal: { kind: "unusable", cause: "content-type" } };
    return yield { kind: "links", pages: links.filter((link) => BOOK_LINK.test(link)), sitemaps: [] };
  }
  const header = text.slice(0, start.index);
  const field = (name: string) => new RegExp(String.raw`^[ \t]*${name}:[ \t]*([^\n]+)`, "im").exec(header)?.[1]?.trim() ?? "";
  const after = text.slice(start.index + start[0].length);
  const end = END.exec(after);
  const content = after
    .slice(0, end?.index ?? after.length)
    .trimStart()
    .replace(CREDITS, "");
  const title = field("Title");
  const lang = LANGUAGES[field("Language").toLowerCase()] ?? "";
  const licence = COPYRIGHTED.test(header) ? "" : PUBLIC_DOMAIN;
  for (const { part, heading, text: chapter } of partsOfBook(content, !isHtml))
    yield {
      kind: "document",
      document: { url, part, title: heading === "" ? title : `${title}: ${heading}`, text: chapter, lang, licence },
    };
}
