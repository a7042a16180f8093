/**
 * `npm run bench -- dedup [--texts 6000] [--seed 1] [--json]`: near-duplicates as the catalog finds them, on its tables in SQLite.
 * Texts of words with Zipf's frequencies come one by one. Half are new; half are copies of an earlier text with words replaced, so that
 * the exact similarity of their shingles lies between 0.5 and 0.95. Reports the recall by similarity; the precision, which is the share
 * of found texts that are copies of the text that was found; and the bytes of the index per million texts.
 */
import { DatabaseSync } from "node:sqlite";
import { createRandom } from "../../shared/model/random.ts";
import type { Print } from "../cli/runner.ts";
import { createCorpusTables, NearDuplicates, shinglesOf, sketchOf } from "./workers/quality.ts";

const WORDS = 50_000;
const [MIN_WORDS, MAX_WORDS] = [150, 600];
const BAR = { recallAt: 0.8, recall: 0.9, precision: 0.99 };

export const FLAGS = { texts: 6000, seed: 1 };

/** What NearDuplicates needs of a Durable Object's database. */
function databaseOf(): { database: DatabaseSync; sql: SqlStorage } {
  const database = new DatabaseSync(":memory:");
  const exec = (query: string, ...values: (string | number | Uint8Array)[]) => {
    const rows = database.prepare(query).all(...values);
    return { toArray: () => rows };
  };
  return { database, sql: { exec } as unknown as SqlStorage };
}

function similarity(a: ReadonlySet<number>, b: ReadonlySet<number>): number {
  let common = 0;
  for (const shingle of a) if (b.has(shingle)) common++;
  return common / (a.size + b.size - common);
}

export async function run({ texts, seed }: typeof FLAGS, print: Print): Promise<Record<string, unknown>> {
  const random = createRandom(seed);
  // The inverse of Zipf's law: the rank of a word is e^(u ln n).
  const word = () => `w${Math.floor(Math.exp(random() * Math.log(WORDS)))}`;
  const textOf = () => Array.from({ length: MIN_WORDS + Math.floor(random() * (MAX_WORDS - MIN_WORDS)) }, word);
  const { database, sql } = databaseOf();
  createCorpusTables(sql);
  const near = new NearDuplicates(sql);
  const originals: { words: string[]; shingles: Set<number>; url: string }[] = [];
  const found: { similarity: number; isFound: boolean; isRight: boolean }[] = [];
  let [wrong, sketchMs, findMs] = [0, 0, 0];
  for (let index = 0; index < texts; index++) {
    const original = index % 2 === 1 ? originals[Math.floor(random() * originals.length)]! : null;
    // A replaced word changes up to five shingles.
    const rate = 0.005 + random() * 0.13;
    const words = original === null ? textOf() : original.words.map((each) => (random() < rate ? word() : each));
    const [text, url] = [words.join(" "), `https://example.com/${index}`];
    let startedAt = performance.now();
    const sketch = sketchOf(text);
    sketchMs += performance.now() - startedAt;
    startedAt = performance.now();
    const match = near.find(sketch, url);
    findMs += performance.now() - startedAt;
    const shingles = shinglesOf(text);
    if (original === null) {
      if (match !== null) wrong++;
      originals.push({ words, shingles, url });
      database.prepare("INSERT INTO pages VALUES (?, ?)").run(url, url);
      database.prepare("INSERT INTO documents VALUES (?, 's', ?, ?, NULL)").run(url, url, text.length);
      near.addLast(sketch);
    } else {
      const exact = similarity(shingles, original.shingles);
      if (exact >= 0.5 && exact <= 0.95)
        found.push({ similarity: exact, isFound: match !== null, isRight: match?.sha256 === original.url });
    }
  }
  const recallOf = (from: number, to: number) => {
    const planted = found.filter((each) => each.similarity >= from && each.similarity < to);
    return { planted: planted.length, recall: planted.filter(({ isRight }) => isRight).length / planted.length };
  };
  const steps = Array.from({ length: 9 }, (_, step) => 0.5 + step * 0.05);
  const recalls = Object.fromEntries(steps.map((from) => [from.toFixed(2), recallOf(from, from + 0.05)]));
  for (const [from, { planted, recall }] of Object.entries(recalls))
    print(`similarity ${from}: ${planted} planted, recall ${recall.toFixed(3)}`);
  const matches = found.filter(({ isFound }) => isFound);
  const precision = matches.filter(({ isRight }) => isRight).length / (matches.length + wrong);
  const above = matches.filter((each) => each.isRight && each.similarity >= 0.65).length / (matches.length + wrong);
  const atBar = recallOf(BAR.recallAt - 0.02, BAR.recallAt + 0.02);
  const size = (name: string) =>
    (database.prepare("SELECT SUM(pgsize) AS size FROM dbstat WHERE name = ?").get(name) as { size: number }).size;
  const bytesPerMillion = Math.round((1e6 * (size("sketches") + size("bands"))) / originals.length);
  const result = {
    texts,
    recallAt08: atBar,
    recalls,
    precision,
    precisionAbove065: above,
    bytesPerMillion,
    sketchMs: sketchMs / texts,
    findMs: findMs / texts,
    ok: atBar.recall >= BAR.recall && precision >= BAR.precision,
  };
  print(
    `recall at 0.8: ${atBar.recall.toFixed(3)}; precision ${precision.toFixed(4)}; ${(bytesPerMillion / 1e6).toFixed(0)} MB per million texts`,
  );
  return result;
}
