/** Where a text was learned: passages of the corpus are found with their documents, and nothing is invented. */
import { beforeAll, expect, test } from "vitest";
import { publishTraced, type TracedDocument } from "../../../scripts/bench/support/traced-model.ts";
import { createRandom } from "../../../shared/model/random.ts";
import type { Traced } from "../../../shared/contracts/trace.ts";
import { OPERATOR, type openDoor } from "./door.ts";

const random = createRandom(11);
const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
const WORDS = Array.from({ length: 400 }, () =>
  Array.from({ length: 2 + Math.floor(random() * 6) }, () => pick([..."aeinorstlumdgüé"])).join(""),
);
const sentence = () => `${Array.from({ length: 8 + Math.floor(random() * 8) }, () => pick(WORDS)).join(" ")}. `;
const LICENCE_TEXT = `${sentence()}${sentence()}`;
const DOCUMENTS: readonly TracedDocument[] = Array.from({ length: 60 }, (_, index) => ({
  url: `https://example.com/${index}`,
  licence: index % 2 === 0 ? "CC0-1.0" : "",
  text: `${Array.from({ length: 40 }, sentence).join("")}${index % 3 === 0 ? LICENCE_TEXT : ""}`,
}));
/** Texts of words that the corpus has, in an order that it has not. */
const FOREIGN = Array.from({ length: 20 }, () => Array.from({ length: 40 }, () => pick(WORDS)).join(" "));

/** Publishes a traced model, and at the end a model without an indexed corpus. */
export function testTrace(door: () => Awaited<ReturnType<typeof openDoor>>): void {
  let published: Awaited<ReturnType<typeof publishTraced>>;
  let trained: readonly TracedDocument[];
  beforeAll(async () => {
    published = await publishTraced(door().server, DOCUMENTS, 600);
    const known = await Promise.all(
      published.trace.documents.map(async ({ list }) =>
        (await published.buckets.ARTIFACTS.get(`trace-documents/${list}.json`))!.json<{ documents: { url: string }[] }>(),
      ),
    );
    const urls = new Set(known.flatMap(({ documents }) => documents.map(({ url }) => url)));
    trained = DOCUMENTS.filter(({ url }) => urls.has(url));
  }, 300_000);

  async function trace(body: object): Promise<Traced> {
    const response = await door().send("POST", "/trace", body, OPERATOR);
    expect(response.status).toBe(200);
    return (await response.json()) as Traced;
  }

  /** True if every passage stands in the text where it says, and in each document that it names. */
  function isTrue({ text, passages }: Traced): boolean {
    return passages.every(
      (passage) =>
        text.slice(passage.start, passage.end) === passage.text &&
        passage.documents.length > 0 &&
        passage.documents.every(({ url }) => trained.find((document) => document.url === url)!.text.includes(passage.text)),
    );
  }

  test("passages cut anywhere are found whole, with their documents and licences", async () => {
    expect(trained.length).toBeGreaterThan(DOCUMENTS.length / 2);
    for (let index = 0; index < 25; index++) {
      const { text, url, licence } = pick(trained);
      const start = Math.floor(random() * (text.length - 200));
      const cut = text.slice(start, start + 120 + Math.floor(random() * 80));
      const traced = await trace({ text: cut });
      expect(isTrue(traced)).toBe(true);
      expect([traced.passages[0]!.text, traced.passages[0]!.documents.map((document) => document.url)]).toEqual([
        cut,
        expect.arrayContaining([url]),
      ]);
      expect(traced.passages[0]!.documents.find((document) => document.url === url)).toEqual({ url, licence, title: `Title of ${url}` });
    }
  });

  test("two passages in one text are both found", async () => {
    const [first, second] = [trained[0]!, trained[1]!].map(({ text }) => text.slice(100, 260));
    const { passages } = await trace({ text: `${first} -- and -- ${second}` });
    expect(
      passages
        .slice(0, 2)
        .map(({ text }) => text.trim())
        .toSorted(),
    ).toEqual([first!.trim(), second!.trim()].toSorted());
  });

  test("a passage of several documents names several", async () => {
    const { passages } = await trace({ text: LICENCE_TEXT });
    expect(passages[0]!.text.trim()).toBe(LICENCE_TEXT.trim());
    expect(passages[0]!.documents.length).toBeGreaterThan(2);
  });

  test("what the corpus does not have is not found", async () => {
    for (const text of FOREIGN) {
      const traced = await trace({ text });
      expect(isTrue(traced)).toBe(true);
      // Chance gives at most a few words in the corpus's order.
      expect(Math.max(0, ...traced.passages.map((passage) => passage.text.length))).toBeLessThan(60);
    }
    expect((await trace({ text: "a" })).passages).toEqual([]);
  });

  test("an answer is traced by its id", async () => {
    const asked = await door().send("POST", "/generate", { text: "a", candidates: 1, maxTokens: 4, seed: 1 }, OPERATOR);
    const { id, response } = (await asked.json()) as { id: string; response: string };
    expect((await trace({ id })).text).toBe(response);
    expect((await door().send("POST", "/trace", { id: "unknown" }, OPERATOR)).status).toBe(404);
    expect((await door().send("POST", "/trace", { id, text: "both" }, OPERATOR)).status).toBe(400);
  });

  test("the index has at most one and a half times the bytes of the tokens", async () => {
    const sizes = await Promise.all(
      published.trace.indexes.map(async (index) => (await published.buckets.ARTIFACTS.head(`trace-indexes/${index}.bin`))!.size),
    );
    expect(sizes).toHaveLength(published.dataset.train.length);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(1.5 * 2 * published.dataset.trainTokens);
  });

  test("a model without an indexed corpus says so", async () => {
    await door().publish(3);
    await expect.poll(async () => (await door().send("POST", "/trace", { text: "a" }, OPERATOR)).status, { timeout: 30_000 }).toBe(404);
  });
}
