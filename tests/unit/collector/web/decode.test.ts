/** Charsets of the web: header, byte-order mark, meta tag, and labels that lie. */
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
  ["UTF-8 when nothing is said", utf8("naïve 日本"), "text/html", "naïve 日本"],
  ["UTF-8 when the label is nonsense", utf8("naïve"), "text/html; charset=nonsense-9", "naïve"],
  ["no NUL bytes", utf8("a\u0000b"), "text/plain", "ab"],
])("decodes by %s", (_, bytes, contentType, text) => {
  expect(decodeText(bytes, contentType)).toBe(text);
});
