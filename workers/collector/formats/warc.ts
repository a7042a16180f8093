/**
 * Reads the records of a WARC file (ISO 28500, iipc.github.io/warc-specifications), plain or packed with gzip. Responses give the
 * pages that a crawler has stored, conversions their text.
 */
import { gunzipChunks, isGzip } from "./gzip.ts";
import { ChunkReader } from "../../../shared/bytes/chunk-reader.ts";

/** The largest record that is read; larger ones are skipped. */
const MAX_RECORD_BYTES = 5 * 1024 * 1024;
const MAX_HEADER_BYTES = 64 * 1024;
const CRLF_CRLF = [13, 10, 13, 10];

export interface WarcRecord {
  type: string;
  /** The address of the page; empty if the record has none. */
  url: string;
  headers: Headers;
  /** Null if the record is too large. */
  bytes: Uint8Array | null;
}

/** True if a file begins like a WARC file, plain or packed with gzip. */
export async function isWarc(bytes: Uint8Array<ArrayBuffer>): Promise<boolean> {
  const head = isGzip(bytes) ? await gunzipChunks(chunksOfBytes(bytes)).next() : { value: bytes };
  return new TextDecoder("latin1").decode(head.value?.subarray(0, 5)) === "WARC/";
}

export async function* chunksOfBytes(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

export async function* readWarc(bytes: Uint8Array<ArrayBuffer>): AsyncGenerator<WarcRecord> {
  const file = chunksOfBytes(bytes);
  const reader = new ChunkReader(isGzip(bytes) ? gunzipChunks(file) : file, "WARC");
  for (;;) {
    const head = await headOf(reader);
    if (head === null) return;
    const [version = "", ...lines] = head.trim().split("\r\n");
    if (!version.startsWith("WARC/")) throw new Error(`WARC: expected a record, got ${version.slice(0, 50)}`);
    const headers = headersOf(lines);
    const length = Number(headers.get("content-length"));
    if (!Number.isSafeInteger(length) || length < 0) throw new Error("WARC: expected Content-Length in each record, got none");
    const isRead = length <= MAX_RECORD_BYTES;
    const content = isRead ? await reader.exactly(length) : null;
    if (!isRead) await reader.skip(length);
    yield {
      type: headers.get("warc-type") ?? "",
      url: (headers.get("warc-target-uri") ?? "").replace(/^<(.*)>$/, "$1"),
      headers,
      bytes: content,
    };
  }
}

/** The head of the next record; null at the end of the file. Empty lines separate records. */
async function headOf(reader: ChunkReader): Promise<string | null> {
  const bytes: number[] = [];
  while (!CRLF_CRLF.every((byte, index) => bytes[bytes.length - 4 + index] === byte)) {
    if (bytes.length === 0 && (await reader.isAtEnd())) return null;
    const [next = 0] = await reader.some(1);
    if (bytes.length === 0 && (next === 13 || next === 10)) continue;
    bytes.push(next);
    if (bytes.length > MAX_HEADER_BYTES) throw new Error(`WARC: expected a head of at most ${MAX_HEADER_BYTES} bytes, got a longer one`);
  }
  return new TextDecoder().decode(Uint8Array.from(bytes));
}

/** Headers of a record or of an HTTP answer. Lines that are not headers are ignored. */
export function headersOf(lines: readonly string[]): Headers {
  const headers = new Headers();
  for (const line of lines) {
    const [, name, value] = /^([\w-]{1,100}):[ \t]*([ -~\t]*)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) headers.append(name, value);
  }
  return headers;
}
