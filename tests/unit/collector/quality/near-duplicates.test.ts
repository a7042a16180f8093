/** Near-duplicates across crawls: a text is compared with all texts of other pages. */
import { expect, test } from "vitest";
import { createCorpusTables } from "../../../../workers/collector/corpus-tables.ts";
import { sketchOf } from "../../../../workers/collector/quality/minhash.ts";
import { NearDuplicates } from "../../../../workers/collector/quality/near-duplicates.ts";
import { storage } from "../../coordinator/storage.ts";

const words = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => `w${from + n}`).join(" ");

test("finds the most similar text of another page, keeps what is less similar, and knows removed texts", () => {
  const { asStorage, database } = storage();
  const { sql } = asStorage;
  createCorpusTables(sql);
  const near = new NearDuplicates(sql);
  const add = (url: string, text: string) => {
    database.prepare("INSERT INTO pages VALUES (?, ?)").run(url, `hash of ${url}`);
    database.prepare("INSERT INTO documents VALUES (?, 's', ?, 1, NULL)").run(`hash of ${url}`, url);
    near.addLast(sketchOf(text));
  };
  add("a", words(0, 1000));
  add("b", words(40, 1040));
  add("c", words(5000, 6000));
  // 996 of 1,036 shingles are common with b, 960 of 1,072 with a.
  expect(near.find(sketchOf(words(36, 1040)), "new")).toEqual({ sha256: "hash of b", isRemoved: false });
  // The page's own earlier text is no duplicate of its new text.
  expect(near.find(sketchOf(words(5010, 6010)), "c")).toBeNull();
  // A third of the shingles is common.
  expect(near.find(sketchOf(words(5500, 6500)), "new")).toBeNull();
  database.prepare("UPDATE documents SET bytes = 0 WHERE url = 'c'").run();
  expect(near.find(sketchOf(words(5010, 6010)), "new")).toEqual({ sha256: "hash of c", isRemoved: true });
});
