/**
 * A snapshot's documents as one file for other tools, made while it is read: JSON Lines with gzip, or a WARC file (ISO 28500) with a
 * `conversion` record per document, as in Common Crawl's WET files. Memory holds one segment. JSON Lines are one gzip member, because
 * many readers refuse a second one. Each record of a WARC file is a member of its own, as the standard recommends; the headers
 * X-Title, X-Language and X-Licence are percent-encoded. Both formats can be uploaded again.
 */
import { documentSchema, type Document, type Snapshot } from "../../shared/artifacts.ts";
import type { ExportFormat } from "../../shared/contracts/documents.ts";
import { segmentText } from "./segment-text.ts";

export function exportCorpus(bucket: R2Bucket, { segments, superseded }: Snapshot, format: ExportFormat): ReadableStream<Uint8Array> {
  const outdated = new Set(superseded);
  const pieces = (async function* () {
    if (format === "warc")
      yield gzipped(warcRecord("warcinfo", "application/warc-fields", {}, "software: Tiffin\r\nformat: WARC File Format 1.1\r\n"));
    for (const { hash } of segments) {
      const lines = (await segmentText(bucket, hash)).split("\n").filter((line) => line !== "");
      const documents = lines.map((line) => documentSchema.parse(JSON.parse(line))).filter(({ sha256 }) => !outdated.has(sha256));
      if (format === "warc") for (const document of documents) yield gzipped(recordOf(document));
      else if (documents.length > 0) yield new TextEncoder().encode(documents.map((document) => `${JSON.stringify(document)}\n`).join(""));
    }
  })();
  const stream = new ReadableStream({
    type: "bytes",
    async pull(controller) {
      const next = await pieces.next();
      if (next.done === true) return controller.close();
      controller.enqueue(next.value);
    },
    async cancel() {
      await pieces.return(undefined);
    },
  });
  return format === "warc" ? stream : stream.pipeThrough(new CompressionStream("gzip"));
}

async function gzipped(text: string): Promise<Uint8Array> {
  const packed = new Response(text).body!.pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(packed).arrayBuffer());
}

const recordOf = ({ url, text, title, lang, licence, fetchedAt }: Document) =>
  warcRecord(
    "conversion",
    "text/plain; charset=utf-8",
    {
      "WARC-Target-URI": url,
      "WARC-Date": fetchedAt,
      "X-Title": encodeURIComponent(title),
      "X-Language": encodeURIComponent(lang),
      "X-Licence": encodeURIComponent(licence),
    },
    text,
  );

function warcRecord(type: string, contentType: string, fields: Readonly<Record<string, string>>, content: string): string {
  const head = {
    "WARC-Type": type,
    "WARC-Record-ID": `<urn:uuid:${crypto.randomUUID()}>`,
    "WARC-Date": new Date().toISOString(),
    ...fields,
    "Content-Type": contentType,
    "Content-Length": String(new TextEncoder().encode(content).length),
  };
  const lines = Object.entries(head).map(([name, value]) => `${name}: ${value}\r\n`);
  return `WARC/1.1\r\n${lines.join("")}\r\n${content}\r\n\r\n`;
}
