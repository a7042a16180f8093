/**
 * Reads the pages of a MediaWiki XML dump (mediawiki.org/wiki/Help:Export), plain or packed with bzip2, while the dump arrives.
 * Memory holds one page. After each page the reader knows where the next page begins, so a later step can go on there: at a byte
 * of a plain dump, or in a block of a packed dump.
 */
import { decodeXml } from "../web/xml.ts";
import { bunzip2 } from "./bzip2.ts";
import { peeked } from "./first-chunk.ts";

/** The largest page of a dump. Wikipedia allows 2 MB of markup. */
const MAX_PAGE_BYTES = 5 * 1024 * 1024;
const PAGE_END = "</page>";
const BZIP2 = /^BZh[1-9]/;

/** Where reading goes on. */
export interface DumpPlace {
  /** A byte of the file. */
  byte: number;
  /** In a packed dump: the bit within the byte at which a block begins. Null in a plain dump. */
  bit: number | null;
  /** Bytes to skip from there: of the file, or of the block's unpacked bytes. */
  skip: number;
}

export interface DumpPage {
  title: string;
  namespace: number;
  isRedirect: boolean;
  /** The markup of the newest revision. Null if its model is not wikitext. */
  source: string | null;
}

export type DumpItem = { kind: "site"; base: string } | { kind: "page"; page: DumpPage; next: DumpPlace } | { kind: "too-large" };

/** A piece of the unpacked dump and where it begins. */
interface Piece {
  bytes: Uint8Array;
  place: DumpPlace;
}

interface Part {
  piece: Piece;
  /** The number of unpacked bytes before the piece. */
  start: number;
}

export async function* readDump(chunks: AsyncIterable<Uint8Array>, from: DumpPlace | null): AsyncGenerator<DumpItem> {
  // A character a byte, so positions in text are positions in bytes. Tags are ASCII.
  const byteText = new TextDecoder("latin1");
  /** The pieces since the end of the last page. Only new bytes are searched, because a page may have many pieces. */
  let parts: Part[] = [];
  let [read, last, tail, isTooLarge] = [0, 0, "", false];
  for await (const piece of piecesOf(chunks, from)) {
    const text = tail + byteText.decode(piece.bytes);
    const start = read - tail.length;
    parts.push({ piece, start: read });
    read += piece.bytes.length;
    for (let found = text.indexOf(PAGE_END); found !== -1; found = text.indexOf(PAGE_END, found + 1)) {
      const end = start + found;
      if (isTooLarge) yield { kind: "too-large" };
      else yield* itemsOf(new TextDecoder().decode(bytesBetween(parts, last, end)), placeAt(parts, end + PAGE_END.length));
      isTooLarge = false;
      last = end + PAGE_END.length;
    }
    tail = text.slice(-PAGE_END.length + 1);
    if (read - last > MAX_PAGE_BYTES) isTooLarge = true;
    const needed = isTooLarge ? read : last;
    parts = parts.filter((part) => part.start + part.piece.bytes.length >= needed);
  }
}

/** What the dump has between the ends of two pages: a page, and before the first page the wiki's address. */
function* itemsOf(xml: string, next: DumpPlace): Generator<DumpItem> {
  const start = xml.indexOf("<page");
  if (start === -1) return;
  const base = /<base>([^<]{1,1000})<\/base>/.exec(xml.slice(0, start))?.[1];
  if (base !== undefined) yield { kind: "site", base: decodeXml(base) };
  yield { kind: "page", page: pageOf(xml.slice(start)), next };
}

async function* piecesOf(chunks: AsyncIterable<Uint8Array>, from: DumpPlace | null): AsyncGenerator<Piece> {
  const { first, all } = await peeked(chunks);
  if (first === null) return;
  const isPacked = from === null ? BZIP2.test(String.fromCharCode(...first.subarray(0, 4))) : from.bit !== null;
  let skip = from?.skip ?? 0;
  const base = from?.byte ?? 0;
  if (isPacked) {
    for await (const { bytes, block, skipped } of bunzip2(all, base, from?.bit ?? 0, from !== null)) {
      const left = bytes.subarray(Math.min(skip, bytes.length));
      const place = { byte: Math.floor(block / 8), bit: block % 8, skip: skipped + bytes.length - left.length };
      skip -= bytes.length - left.length;
      if (left.length > 0) yield { bytes: left, place };
    }
    return;
  }
  let at = base;
  for await (const bytes of all) {
    const left = bytes.subarray(Math.min(skip, bytes.length));
    skip -= bytes.length - left.length;
    at += bytes.length;
    if (left.length > 0) yield { bytes: left, place: { byte: at - left.length, bit: null, skip: 0 } };
  }
}

/** Where the byte at `offset` of the unpacked dump is. */
function placeAt(parts: readonly Part[], offset: number): DumpPlace {
  const { piece, start } = parts.findLast((part) => part.start <= offset)!;
  const { byte, bit, skip } = piece.place;
  return bit === null ? { byte: byte + offset - start, bit, skip: 0 } : { byte, bit, skip: skip + offset - start };
}

function bytesBetween(parts: readonly Part[], from: number, to: number): Uint8Array {
  const bytes = new Uint8Array(to - from);
  for (const { piece, start } of parts) {
    const part = piece.bytes.subarray(Math.max(0, from - start), Math.max(0, to - start));
    if (part.length > 0) bytes.set(part, Math.max(0, start - from));
  }
  return bytes;
}

const field = (name: string, from: string) => new RegExp(`<${name}\\b[^>]*>([^<]*)</${name}>`).exec(from)?.[1] ?? "";

function pageOf(xml: string): DumpPage {
  // A dump of histories has all revisions; the newest is the last.
  const revision = xml.slice(Math.max(0, xml.lastIndexOf("<revision")));
  const source = field("text", revision);
  const model = field("model", revision);
  return {
    title: decodeXml(field("title", xml)),
    namespace: Number(field("ns", xml) || 0),
    isRedirect: /<redirect\b/.test(xml.slice(0, 2000)),
    source: model === "" || model === "wikitext" ? decodeXml(source) : null,
  };
}
