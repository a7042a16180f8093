/**
 * The upload adapter: a file of JSON Lines (one document a line), or one document of plain text or Markdown. The content decides
 * the format. A document's address is the address of its file (`upload:COLLECTION/FILE`). In JSON Lines, line n adds `#n`, or the
 * document has the web address that its line states. An operator removes a document by its address.
 */
import { z } from "zod";
import { normalizeUrl } from "../web/address.ts";
import { decodeText } from "../web/decode.ts";
import type { Finding, Resource, SourceAdapter } from "./source.ts";

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

export const upload: SourceAdapter = { usesSitemaps: false, followsWholeHost: false, read };

async function* read({ bytes, url }: Resource): AsyncGenerator<Finding> {
  const content = decodeText(bytes, "text/plain").replace(/^\uFEFF/, "");
  if (isJsonLines(content)) yield* readLines(content, url);
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
      const address = (found.url === undefined ? null : normalizeUrl(found.url)) ?? `${url}#${number}`;
      const [lang, licence] = [found.lang ?? found.language ?? "", found.licence ?? found.license ?? ""];
      yield { kind: "document", document: { url: address, text, title: found.title?.trim() ?? "", lang, licence } };
    }
  }
}
