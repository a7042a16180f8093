/** The counts of documents by site, licence and language. They do not depend on how the documents are divided into steps. */
import { expect, test } from "vitest";
import type { Document } from "../../../shared/artifacts.ts";
import { addToSources } from "../../../workers/tokenizer/origin.ts";

const documentOf = (url: string, fetchedAt: string, more: Partial<Document> = {}): [Document, number] => [
  { id: "1", url, text: "", title: "", lang: "en", licence: "", source: "s1", fetchedAt, sha256: "a".repeat(64), ...more },
  10,
];
const DOCUMENTS = [
  documentOf("https://a.test/one", "2026-11-24T10:00:00.000Z"),
  documentOf("https://a.test/two", "2026-11-23T10:00:00.000Z"),
  documentOf("https://a.test/three", "2026-11-25T10:00:00.000Z", { licence: "CC0-1.0" }),
  documentOf("upload:notes/1", "2026-11-26T10:00:00.000Z", { source: "notes", lang: "" }),
];

test("counts documents, bytes and days, in one step or in many", () => {
  const whole = addToSources([], DOCUMENTS);
  expect(whole).toEqual([
    { site: "a.test", licence: "", lang: "en", documents: 2, bytes: 20, firstRetrieved: "2026-11-23", lastRetrieved: "2026-11-24" },
    { site: "a.test", licence: "CC0-1.0", lang: "en", documents: 1, bytes: 10, firstRetrieved: "2026-11-25", lastRetrieved: "2026-11-25" },
    { site: "notes", licence: "", lang: "", documents: 1, bytes: 10, firstRetrieved: "2026-11-26", lastRetrieved: "2026-11-26" },
  ]);
  const stepwise = DOCUMENTS.reduce((sources, document) => addToSources(sources, [document]), addToSources([], []));
  expect(stepwise).toEqual(whole);
});

test("keeps at most a thousand groups and counts the documents of further sites together", () => {
  const many = Array.from({ length: 1500 }, (_, at) => documentOf(`https://site-${at}.test/`, "2026-11-23T10:00:00.000Z"));
  const sources = addToSources([], many);
  expect(sources.length).toBe(1001);
  expect(sources.at(-1)).toMatchObject({ site: "", documents: 500, bytes: 5000 });
  expect(sources.reduce((sum, { documents }) => sum + documents, 0)).toBe(1500);
});
