/** Charsets of the web: header, byte-order mark, meta tag, wrong labels, and no label at all. */
import { expect, test } from "vitest";
import { decodeText } from "../../../../workers/collector/web/decode.ts";

const latin = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));
const utf8 = (text: string) => new TextEncoder().encode(text);

test.each([
  ["the header", latin("caf\xe9"), "text/html; charset=iso-8859-1", "café"],
  ["a quoted header", latin("caf\xe9"), 'text/html; charset="windows-1252"', "café"],
  ["a meta tag", latin('<meta charset="iso-8859-1">caf\xe9'), "text/html", '<meta charset="iso-8859-1">café'],
  [
    "an http-equiv tag",
    latin('<meta http-equiv="content-type" content="text/html; charset=latin1">\xe9'),
    "text/html",
    '<meta http-equiv="content-type" content="text/html; charset=latin1">é',
  ],
  [
    "an XML declaration",
    latin('<?xml version="1.0" encoding="iso-8859-1"?><a>\xe9</a>'),
    "application/xml",
    '<?xml version="1.0" encoding="iso-8859-1"?><a>é</a>',
  ],
  ["a mark against the header", Uint8Array.of(0xef, 0xbb, 0xbf, ...utf8("café")), "text/html; charset=iso-8859-1", "café"],
  ["UTF-16 by its mark", Uint8Array.of(0xff, 0xfe, 0xe9, 0x00), "text/html", "é"],
  ["Shift_JIS", Uint8Array.of(0x93, 0xfa, 0x96, 0x7b), "text/html; charset=shift_jis", "日本"],
  // As in adbar/trafilatura#541: browsers parse a page again if its charset is declared late.
  [
    "a late meta tag",
    latin(`${"<!-- filler -->".repeat(200)}<meta charset=gb2312>\xd6\xd0\xce\xc4`),
    "text/html",
    `${"<!-- filler -->".repeat(200)}<meta charset=gb2312>中文`,
  ],
  [
    "the first meta tag that is no comment",
    latin("<!--<meta charset=gb2312>--><meta charset=latin1>\xe9"),
    "text/html",
    "<!--<meta charset=gb2312>--><meta charset=latin1>é",
  ],
  // As in firecrawl/firecrawl#4047: windows-1252 has dashes and quotes where ISO 8859-1 has control characters.
  [
    "windows-1252 when nothing is said and the bytes are not UTF-8",
    latin("<p>na\xefve caf\xe9 \x96 \x93quoted\x94"),
    "text/html",
    "<p>naïve café – “quoted”",
  ],
  ["windows-1252 for plain text that is not UTF-8", latin("caf\xe9"), "text/plain", "café"],
  ["UTF-8 despite a broken byte", Uint8Array.of(...utf8("日本語の文章です。これは"), 0xff), "text/html", "日本語の文章です。これは\uFFFD"],
  ["no meta tag that plain text quotes", utf8("é <meta charset=gb2312>"), "text/plain", "é <meta charset=gb2312>"],
  ["UTF-8 when nothing is said", utf8("naïve 日本"), "text/html", "naïve 日本"],
  ["UTF-8 when the label is nonsense", utf8("naïve"), "text/html; charset=nonsense-9", "naïve"],
  ["no NUL bytes", utf8("a\u0000b"), "text/plain", "ab"],
])("decodes by %s", (_, bytes, contentType, text) => {
  expect(decodeText(bytes, contentType)).toBe(text);
});
