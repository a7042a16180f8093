/**
 * The upload adapter: a file of JSON Lines (one document a line), a WARC file (one document a page), or one document of HTML, plain
 * text or Markdown; all also packed with gzip. The content decides the format. A document's address is the address of its file
 * (`upload:COLLECTION/FILE`). In JSON Lines, line n adds `#n`, or the document has the web address that its line states. Pages of a
 * WARC file have their own addresses. An operator removes a document by its address.
 */
import { z } from "zod";
import { normalizePartUrl } from "../web/address.ts";
import { isWarc } from "../formats/warc.ts";
import { decodeText, gunzip } from "../web/decode.ts";
import { extract } from "../web/extract.ts";
import type { Finding, Resource, SourceAdapter } from "./source.ts";
import { documentsOfWarc } from "./warc-pages.ts";

/** A packed file unpacks to at most as much. */
const MAX_UNPACKED_BYTES = 24 * 1024 * 1024;
const HTML = /^\s*(?:<\?xml[^>]{0,200}>\s*)?(?:<!--[^]{0,500}?-->\s*)?<(?:!doctype html|html[\s>])/i;
/** A Markdown heading within this many characters is the title. */
const TITLE_WITHIN = 1000;

/** Field names that are common in data sets. Other fields are ignored. */
const lineSchema = z.object({
  text: z.string(),
  url: z.string().optional(),
  title: z.string().optional(),
  lang: z.string().optional(),
  language: z.string().optional(),
  licence: z.string().optional(),
  license: z.string().optional(),
});

export const upload: SourceAdapter = { usesSitemaps: false, followsWholeHost: false, streams: false, quality: "none", read };

async function* read({ bytes: sent, url }: Resource): AsyncGenerator<Finding> {
  if (await isWarc(sent)) return yield* documentsOfWarc(sent);
  const bytes = await gunzip(sent, MAX_UNPACKED_BYTES);
  if (bytes === null) return yield { kind: "refusal", refusal: { kind: "unusable", cause: "too-large" } };
  const content = decodeText(
    bytes,
    HTML.test(new TextDecoder("latin1").decode(bytes.subarray(0, 1000))) ? "text/html" : "text/plain",
  ).replace(/^\uFEFF/, "");
  if (HTML.test(content)) {
    const { text, title, lang, refusal } = extract(content, new URL("https://upload.invalid/"), new Headers());
    yield refusal === null ? { kind: "document", document: { url, text, title, lang, licence: "" } } : { kind: "refusal", refusal };
  } else if (isJsonLines(content)) yield* readLines(content, url);
  else {
    const text = content.trim();
    const title = /^#{1,6}[ \t]+(.+?)[ \t#]*$/m.exec(text.slice(0, TITLE_WITHIN))?.[1] ?? "";
    if (text === "") yield { kind: "refusal", refusal: { kind: "unusable", cause: "too-short" } };
    else yield { kind: "document", document: { url, text, title, lang: "", licence: "" } };
  }
}

/** Yields lines one at a time, so memory does not hold the file twice. */
function* linesOf(content: string): Generator<string> {
  for (let start = 0; start < content.length;) {
    const end = content.indexOf("\n", start);
    yield content.slice(start, end === -1 ? content.length : end).trim();
    start = end === -1 ? content.length : end + 1;
  }
}

function documentOf(line: string): z.infer<typeof lineSchema> | null {
  try {
    return lineSchema.safeParse(JSON.parse(line)).data ?? null;
  } catch {
    // Only the broken line is lost; the caller counts it.
    return null;
  }
}

/** True if the first line that is not empty is a document. */
function isJsonLines(content: string): boolean {
  for (const line of linesOf(content)) if (line !== "") return line.startsWith("{") && documentOf(line) !== null;
  return false;
}

function* readLines(content: string, url: string): Generator<Finding> {
  let number = 0;
  for (const line of linesOf(content)) {
    if (line === "") continue;
    number++;
    const found = documentOf(line);
    const text = found?.text.trim() ?? "";
    if (found === null) yield { kind: "refusal", refusal: { kind: "unusable", cause: "unreadable" } };
    else if (text === "") yield { kind: "refusal", refusal: { kind: "unusable", cause: "too-short" } };
    else {
      const address = (found.url === undefined ? null : normalizePartUrl(found.url)) ?? `${url}#${number}`;
      const [lang, licence] = [found.lang ?? found.language ?? "", found.licence ?? found.license ?? ""];
      yield { kind: "document", document: { url: address, text, title: found.title?.trim() ?? "", lang, licence } };
    }
  }
}
