/** Reads a snapshot's documents in segment order. A call may start at any document and reads a limited number of bytes. */
import { documentSchema, successorKey, successorSchema, type Document, type Hash, type Snapshot } from "../../shared/artifacts.ts";
import { getObject } from "../../shared/store.ts";

/** The position of the next document to read. */
export interface Position {
  segment: number;
  /** The document's line within the segment. A removal empties lines but does not delete them, so positions stay valid. */
  document: number;
}

/**
 * Calls `visit` for each document that is not superseded, with the UTF-8 length of its text, until the `budget` of bytes is
 * used. Visits at least one document. Returns the position for the next call. After the last document, its `segment` is the
 * number of segments.
 */
export async function visitDocuments(
  corpus: R2Bucket,
  snapshot: Snapshot,
  from: Position,
  budget: number,
  visit: (document: Document, bytes: number) => void,
): Promise<Position> {
  const encoder = new TextEncoder();
  const superseded = new Set(snapshot.superseded);
  let used = 0;
  let first = from.document;
  for (let segment = from.segment; segment < snapshot.segments.length; segment++) {
    let index = 0;
    for await (const line of segmentLines(corpus, snapshot.segments[segment]!.hash)) {
      if (index++ < first || line === "") continue;
      if (used >= budget) return { segment, document: index - 1 };
      const document = documentSchema.parse(JSON.parse(line));
      if (superseded.has(document.sha256)) continue;
      const text = document.text.toWellFormed();
      const bytes = encoder.encode(text).length;
      visit({ ...document, text }, bytes);
      used += bytes;
    }
    first = 0;
    if (used >= budget) return { segment: segment + 1, document: 0 };
  }
  return { segment: snapshot.segments.length, document: 0 };
}

/** The bytes of a segment or, after a removal, of its successor. Null if the removal left no documents. */
async function readSegment(corpus: R2Bucket, hash: Hash): Promise<ArrayBuffer | null> {
  try {
    return await getObject(corpus, "segment", hash);
  } catch (error) {
    const successor = await corpus.get(successorKey(hash));
    if (successor === null) throw error;
    const { segment } = successorSchema.parse(await successor.json());
    return segment === null ? null : readSegment(corpus, segment);
  }
}

/** The lines of a gzipped segment, including empty lines. Decompresses while the caller reads. */
async function* segmentLines(corpus: R2Bucket, hash: Hash): AsyncGenerator<string> {
  const bytes = await readSegment(corpus, hash);
  if (bytes === null) return;
  const reader = new Response(bytes).body!.pipeThrough(new DecompressionStream("gzip")).getReader();
  const decoder = new TextDecoder();
  let parts: string[] = [];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      const lines = (done ? decoder.decode() : decoder.decode(value, { stream: true })).split("\n");
      for (const [index, line] of lines.entries()) {
        parts.push(line);
        if (index === lines.length - 1 && !done) break;
        yield parts.join("");
        parts = [];
      }
      if (done) return;
    }
  } finally {
    await reader.cancel();
  }
}
