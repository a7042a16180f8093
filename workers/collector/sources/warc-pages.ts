/** The documents of a WARC file: pages that a crawler has stored with status 200, by the rules of the site adapter, and texts. */
import { chunksOfBytes, headersOf, readWarc, type WarcRecord } from "../formats/warc.ts";
import { readAtMost } from "../../../shared/bytes/bounded.ts";
import { gunzipChunks, isGzip } from "../formats/gzip.ts";
import { normalizePartUrl, normalizeUrl } from "../web/address.ts";
import { MAX_PAGE_BYTES } from "../web/fetch-page.ts";
import { site } from "./site.ts";
import type { Finding, Resource } from "./source.ts";

export async function* documentsOfWarc(file: Uint8Array<ArrayBuffer>): AsyncGenerator<Finding> {
  for await (const record of readWarc(file)) {
    if (record.type !== "response" && record.type !== "conversion") continue;
    const url = record.type === "conversion" ? normalizePartUrl(record.url) : normalizeUrl(record.url);
    if (url === null) yield { kind: "refusal", refusal: { kind: "unusable", cause: "address" } };
    else if (record.bytes === null) yield { kind: "refusal", refusal: { kind: "unusable", cause: "too-large" } };
    else if (record.type === "conversion") yield textOf(url, record, record.bytes);
    else {
      const resource = await answerOf(url, record.bytes);
      for await (const finding of site.read(resource, async () => null)) if (finding.kind !== "links") yield finding;
    }
  }
}

/** A conversion holds the text of a page, as in Common Crawl's WET files. Tiffin's exports add the title and the licence. */
function textOf(url: string, { headers }: WarcRecord, bytes: Uint8Array): Finding {
  const text = new TextDecoder().decode(bytes).trim();
  if (text === "") return { kind: "refusal", refusal: { kind: "unusable", cause: "too-short" } };
  const field = (name: string) => decodeURIComponent(headers.get(name) ?? "");
  return { kind: "document", document: { url, text, title: field("x-title"), lang: field("x-language"), licence: field("x-licence") } };
}

/** An HTTP answer as it was stored: status line, headers, content. */
async function answerOf(url: string, bytes: Uint8Array): Promise<Resource> {
  const text = new TextDecoder("latin1").decode(bytes);
  const end = text.indexOf("\r\n\r\n");
  const [status = "", ...lines] = text.slice(0, Math.max(0, end)).split("\r\n");
  const headers = headersOf(lines);
  let body = bytes.slice(end === -1 ? 0 : end + 4);
  if (/\bchunked\b/i.test(headers.get("transfer-encoding") ?? "")) body = unchunked(body, text.slice(end + 4));
  const encoding = headers.get("content-encoding") ?? "";
  // Many crawlers store the unpacked content with the header of the packed content.
  const isPacked = /gzip/i.test(encoding) && isGzip(body);
  const unpacked = isPacked ? await readAtMost(gunzipChunks(chunksOfBytes(body)), MAX_PAGE_BYTES) : { bytes: body, truncated: false };
  const answer = { status: Number(/^HTTP\/[\d.]+ (\d{3})/.exec(status)?.[1] ?? 0), headers, ...unpacked };
  return { kind: "page", url, body: null, rest: null, reserved: false, ...answer };
}

/** Joins the chunks of an HTTP/1.1 body (RFC 9112, section 7.1). A body that was stored without its chunks stays as it is. */
function unchunked(body: Uint8Array<ArrayBuffer>, text: string): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(body.length);
  let size = 0;
  for (let at = 0; ;) {
    const [line, digits] = /^([0-9a-f]{1,8})[^\r\n]{0,200}\r\n/i.exec(text.slice(at, at + 220)) ?? [];
    if (line === undefined || digits === undefined) return body;
    const length = Number.parseInt(digits, 16);
    const start = at + line.length;
    if (length === 0) return joined.slice(0, size);
    if (start + length > body.length) return body;
    joined.set(body.subarray(start, start + length), size);
    size += length;
    at = start + length + 2;
  }
}
