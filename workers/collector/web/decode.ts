/** Turns bytes from a web server into text: unpacks gzip files and finds the charset as browsers do. */
import htmlEncodingSniffer from "html-encoding-sniffer";
import { readAtMost } from "../../../shared/bytes/bounded.ts";
import { isGzip } from "../formats/gzip.ts";

/** Text counts as UTF-8 if at most this share of its non-ASCII characters is broken. */
const MAX_BROKEN_SHARE = 0.1;

/**
 * Decodes text by its byte-order mark, Content-Type, `<meta>` or XML declaration. A page without any of these is UTF-8 if
 * (nearly) all its bytes are valid, otherwise windows-1252, as in browsers.
 */
export function decodeText(bytes: Uint8Array, contentType: string): string {
  return new TextDecoder(encodingOf(bytes, contentType)).decode(bytes).replaceAll("\u0000", "");
}

function encodingOf(bytes: Uint8Array, contentType: string): string {
  const label = /charset\s*=\s*"?'?([^\s;"']+)/i.exec(contentType)?.[1];
  const isXml = /[/+]xml\b/i.test(contentType) && !/html/i.test(contentType);
  const isPlain = /^text\/plain\b/i.test(contentType);
  const declared = htmlEncodingSniffer(bytes, {
    xml: isXml,
    // The result is empty if the bytes declare no charset.
    defaultEncoding: "",
    ...(label === undefined ? {} : { transportLayerEncodingLabel: label }),
    // Browsers scan 1,024 bytes for a declaration and reload the page if a declaration comes later. Here HTML is scanned in
    // full. Plain text has no declaration.
    ...(isXml ? {} : { maxPrescanBytes: isPlain ? 0 : Infinity }),
  });
  if (declared !== "") return declared;
  return isXml || isMostlyUtf8(bytes) ? "UTF-8" : "windows-1252";
}

/** A few broken bytes do not turn UTF-8 into windows-1252. */
function isMostlyUtf8(bytes: Uint8Array): boolean {
  let [broken, whole] = [0, 0];
  for (const [char] of new TextDecoder().decode(bytes).matchAll(/[^\0-\x7f]/gu)) {
    if (char === "\uFFFD") broken++;
    else whole++;
  }
  return broken <= MAX_BROKEN_SHARE * (broken + whole);
}

/**
 * Unpacks a gzip file; other bytes are returned as they are. Null if the file unpacks to more than `limit` bytes; unpacking
 * stops at the limit.
 */
export async function gunzip(bytes: Uint8Array<ArrayBuffer>, limit: number): Promise<Uint8Array<ArrayBuffer> | null> {
  if (!isGzip(bytes)) return bytes;
  const unpacked = await readAtMost(new Response(bytes).body!.pipeThrough(new DecompressionStream("gzip")), limit);
  return unpacked.truncated ? null : unpacked.bytes;
}
