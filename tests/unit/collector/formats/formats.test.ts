/** The formats of sources: what is read, where reading goes on, and hostile files. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { bunzip2 } from "../../../../workers/collector/formats/bzip2.ts";
import { gunzipChunks } from "../../../../workers/collector/formats/gzip.ts";
import { licenceOfPackage, licenceOfTag, licenceOfText } from "../../../../workers/collector/formats/licence.ts";
import { readDump, type DumpItem, type DumpPlace } from "../../../../workers/collector/formats/mediawiki-dump.ts";
import { licenceOfStatement } from "../../../../workers/collector/formats/paper-text.ts";
import { readTarFiles } from "../../../../workers/collector/formats/tar.ts";
import { proseOfWikitext } from "../../../../workers/collector/formats/wikitext.ts";
import { tarOf } from "../../../pipeline/collector/archives.ts";

const recorded = (name: string) => readFileSync(join(import.meta.dirname, "../../../pipeline/fixtures/sources", name));

async function* inChunks(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

describe("bzip2", () => {
  test("unpacks what bzip2 has packed, in chunks of any size", async () => {
    for (const size of [1, 7, 100_000]) {
      const pieces = await all(bunzip2(inChunks(recorded("wiki.xml.bz2"), size)));
      expect(Buffer.concat(pieces.map(({ bytes }) => bytes)).equals(recorded("wiki.xml"))).toBe(true);
    }
  });

  test("refuses damaged files and other files", async () => {
    const whole = recorded("wiki.xml.bz2");
    for (const place of [4, 30, 200, whole.length - 20]) {
      const damaged = Buffer.from(whole);
      damaged[place]! ^= 0x55;
      await expect(all(bunzip2(inChunks(damaged, 100)))).rejects.toThrow("bzip2: expected");
    }
    await expect(all(bunzip2(inChunks(whole.subarray(0, 700), 100)))).rejects.toThrow("bzip2: expected");
    await expect(all(bunzip2(inChunks(Buffer.from("BZh0"), 100)))).rejects.toThrow("expected BZh1 to BZh9");
  });
});

const titles = (items: readonly DumpItem[]) => items.flatMap((item) => (item.kind === "page" ? [item.page.title] : []));

describe("a MediaWiki dump", () => {
  const TITLES = ["Tide pool", "Tidepool", "Talk:Tide pool", "Rock & pool", "Zürich/See"];

  test.each(["wiki.xml", "wiki.xml.bz2"])("goes on after any page (%s)", async (name) => {
    const file = recorded(name);
    const items = await all(readDump(inChunks(file, 61), null));
    expect(items[0]).toEqual({ kind: "site", base: "https://en.wikipedia.org/wiki/Main_Page" });
    expect(titles(items)).toEqual(TITLES);
    const places: DumpPlace[] = items.flatMap((item) => (item.kind === "page" ? [item.next] : []));
    for (const [index, place] of places.entries())
      expect(titles(await all(readDump(inChunks(file.subarray(place.byte), 61), place)))).toEqual(TITLES.slice(index + 1));
  });
});

describe("wiki markup", () => {
  test.each([
    ["[[Paris, Texas|]] and [[Mars (planet)|]]", "Paris and Mars"],
    ["[[:Category:X|the list]], [[de:Erde]][[File:a.jpg|thumb|see [[b]]]]", "the list,"],
    ["{{a|{{b|c}}}}d{{lang|fr|mot}}e{{unknown|f}}", "dmote"],
    ["a [http://x.org the site] b [http://y.org] c", "a the site b  c".replace("  ", " ")],
    ["a<ref>b</ref><ref name=x /> c<!-- d --> <nowiki>[[e]]</nowiki> &ndash; f", "a c [[e]] – f"],
    ["{{unclosed [[link", "unclosed link".replace("link", "[[link").replace("[[", "")],
    ["İ <REF>x</REF> y", "İ y"],
    ["== A ==\n=== B ===\ntext\n== References ==\n=== Deep ===\nnot this\n== C ==\nthis", "A\n\nB\n\ntext\n\nC\n\nthis"],
    ["#REDIRECT [[x]]", ""],
  ])("%j", (source, prose) => {
    expect(proseOfWikitext(source).replaceAll(/ {2,}/g, " ")).toBe(prose);
  });

  test.each(["{{", "[[", "{|", "<ref>", "<math>", "<!--", "[http://a ", "{{a|", "|", "==\n", "'''"])(
    "reads 100,000 times %j in bounded time",
    (piece) => {
      const startedAt = performance.now();
      proseOfWikitext(piece.repeat(100_000));
      expect(performance.now() - startedAt).toBeLessThan(20_000);
    },
  );
});

test("a tar archive: reads wanted files, skips others, and names what is not an archive", async () => {
  const archive = tarOf({ "a/wanted.txt": "yes", "a/other.bin": Buffer.alloc(5000), [`a/${"x/".repeat(60)}wanted.txt`]: "far" });
  const files = await all(readTarFiles(inChunks(archive, 333), (path) => path.endsWith("wanted.txt")));
  expect(files.map(({ path, bytes }) => [path, bytes && Buffer.from(bytes).toString()])).toEqual([
    ["a/wanted.txt", "yes"],
    ["a/other.bin", null],
    [`a/${"x/".repeat(60)}wanted.txt`, "far"],
  ]);
  await expect(all(readTarFiles(inChunks(archive.subarray(0, 900), 333), () => true))).rejects.toThrow("the stream ended early");
  await expect(all(readTarFiles(inChunks(Buffer.alloc(600, "text"), 333), () => true))).rejects.toThrow("tar: expected a header");
});

test("gzip: reads all members of a file", async () => {
  const file = Buffer.concat(["one ", "", "two"].map((text) => gzipSync(text)));
  for (const size of [1, 20, 1000]) expect(Buffer.concat(await all(gunzipChunks(inChunks(file, size)))).toString()).toBe("one two");
});

test("licences are named by their texts, tags and statements", () => {
  expect(licenceOfText("GNU GENERAL PUBLIC LICENSE\n   Version 3, 29 June 2007")).toBe("GPL-3.0-only");
  expect(licenceOfText("                  Apache License\n       Version 2.0, January 2004")).toBe("Apache-2.0");
  expect(licenceOfText("All rights reserved.")).toBe("");
  expect(licenceOfTag("// SPDX-License-Identifier: MIT OR Apache-2.0\n")).toBe("MIT OR Apache-2.0");
  expect(licenceOfPackage("package.json", '{"name": "x", "license": "ISC"}')).toBe("ISC");
  expect(licenceOfPackage("package.json", '{"license": "UNLICENSED"}')).toBe("");
  expect(licenceOfPackage("Cargo.toml", '[package]\nlicense = "MIT/Apache-2.0"')).toBe("");
  expect(licenceOfStatement("License: CC BY-NC-SA 4.0")).toBe("CC-BY-NC-SA-4.0");
  expect(licenceOfStatement("License: arXiv.org perpetual non-exclusive license")).toBe(
    "http://arxiv.org/licenses/nonexclusive-distrib/1.0/",
  );
});
