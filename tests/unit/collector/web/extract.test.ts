/** The main text of pages: scored on real news pages, and within limits on hostile pages. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { ROOT } from "../../../../scripts/local/workers.ts";
import { extract, extractPlain, mainText, parsePage } from "../../../../workers/collector/web/extract.ts";

const SHARED = join(ROOT, "..", "shared");
const PAGES = join(SHARED, "data", "extraction");
/** CPU time of this thread. Other work on the machine does not lengthen it. */
const cpuMs = () => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
};
const BASE = new URL("https://example.com/a/b");
const prose = "<p>Some words of text, as a page has them.</p>".repeat(20);

test.skipIf(!existsSync(PAGES))(
  "finds the article of real pages better than Readability alone (skipped where ../shared/data is absent)",
  () => {
    const found = Object.fromEntries(
      readdirSync(join(PAGES, "html")).map((file) => {
        const html = gunzipSync(readFileSync(join(PAGES, "html", file))).toString("utf8");
        return [file.replace(".html.gz", ""), { articleBody: mainText(parsePage(html)) }];
      }),
    );
    const folder = mkdtempSync(join(tmpdir(), "tiffin-"));
    const answers = join(folder, "found.json");
    writeFileSync(answers, JSON.stringify(found));
    const tool = join(SHARED, "tools", "extraction-score.mjs");
    const score = JSON.parse(execFileSync(process.execPath, [tool, join(PAGES, "ground-truth.json"), answers], { encoding: "utf8" })) as {
      f1: number;
    };
    rmSync(folder, { recursive: true });
    console.log(`extraction: ${JSON.stringify(score)}`);
    // Readability on linkedom alone, with its plain textContent, scores 0.952.
    expect(score.f1).toBeGreaterThan(0.952);
  },
);

test.each([
  ["100,000 nested tags", "<div>".repeat(100_000) + prose],
  ["10,000 links", "<a href=x>word</a> ".repeat(10_000)],
  ["200,000 paragraphs", "<p>a, b</p>".repeat(200_000)],
  ["9,000 linked paragraphs in 50 levels", `${prose}<div>`.repeat(50) + `<p><a href=x>${"word ".repeat(15)}.</a></p>`.repeat(9000)],
  ["a picture of 500,000 letters in an attribute", `${prose}<img alt = 'a > b' src="data:${"a b ".repeat(125_000)}">`],
  ["200,000 blanks in a row", `${prose}<pre>x${" ".repeat(200_000)}x</pre>`],
])("reads %s in bounded time", (_, html) => {
  const startedAt = cpuMs();
  expect(extract(html, BASE, new Headers()).text.length).toBeGreaterThan(200);
  // Without the limit, the nested page takes minutes. This time is long enough for a slow machine.
  expect(cpuMs() - startedAt).toBeLessThan(60_000);
});

test.each([
  ["levels", "<i>".repeat(500_000)],
  ["elements", "<p>a</p>".repeat(250_000)],
  ["end tags", "<i></b>".repeat(120_000)],
  ["attributes of a tag", `<p ${"a b c ".repeat(2000)}>`],
  ["attributes in all", `<p ${"a='>' ".repeat(9)}></p>`.repeat(7000)],
  ["levels after a quote that opens nothing", `<p a" ' b=c>${"<i>".repeat(500_000)}`],
])("refuses a page of too many %s before it is parsed", (_, html) => {
  const startedAt = cpuMs();
  expect(extract(prose + html, BASE, new Headers())).toEqual({
    text: "",
    title: "",
    lang: "",
    links: [],
    refusal: { kind: "unusable", cause: "too-complex" },
  });
  // Parsing would take many seconds. Refusing takes a tenth of a second, so this time is long enough for a slow machine.
  expect(cpuMs() - startedAt).toBeLessThan(5000);
});

test.each([
  ["short", {}, { kind: "unusable", cause: "too-short" }],
  ["long ".repeat(100), {}, null],
  ["long ".repeat(100), { "x-robots-tag": "noai" }, { kind: "reserved", by: "noindex" }],
  ["long ".repeat(100), { "content-signal": "search=yes, ai-train=no" }, { kind: "reserved", by: "ai-train=no" }],
])("treats plain text like pages: %.5s %j is %j", (words, headers, refusal) => {
  const found = extractPlain(words, new Headers(headers));
  expect([found.text !== "", found.refusal]).toEqual([refusal?.kind !== "reserved", refusal]);
});

const inside = `${prose}<a href="c">c</a>`;
test.each([
  ["no html and body tags", `<!doctype html><html lang="de"><title>T</title>${inside}`],
  ["no head tags", `<!doctype html><html lang="de"><meta charset="utf-8"><title>T</title><body>${inside}</body></html>`],
  ["no html tag", `<!doctype html><title>T</title><body>${inside}</body>`],
  ["no html tag but a head", `<head><title>T</title></head><body>${inside}`],
  ["its html tag inside its body", `<body><html lang="de"><title>T</title>${inside}</html></body>`],
  ["a script between head and body", `<html lang="de"><head><title>T</title></head><script>1</script><body>${inside}</body></html>`],
])("reads a page with %s", (_, html) => {
  const found = extract(html, BASE, new Headers());
  expect([found.title, found.links, found.refusal]).toEqual(["T", ["https://example.com/a/c"], null]);
  expect(found.lang).toBe(html.includes("<html") ? "de" : "");
  expect(found.text).toMatch(/^(T\n+)?Some words of text/);
});

test("drops blanks around line breaks outside code, and blanks at the ends of code lines", () => {
  const html = "<pre>  a\n\n\tb \t\r\n</pre> <b> </b> c <i> </i>\n<p> d <br> e";
  expect(mainText(parsePage(html))).toBe("  a\n\n\tb\n\nc\nd\n\ne");
});

// As in mozilla/readability#878.
const sentence = (number: number) => `Sentence ${number} tells of the harbour, the market and the people who walked there in the morning.`;
const linkedParagraphs = (count: number, linked: (number: number) => boolean, link: (words: string) => string) =>
  Array.from({ length: count }, (_, number) =>
    linked(number) ? `<div class=markup><p>${link(sentence(number))}</p></div>` : `<p>${sentence(number)} ${sentence(number + 100)}</p>`,
  ).join("");

test.each([
  ["a link around bold text", (words: string) => `<a href=/l><strong>${words}</strong></a>`],
  ["bold text around a link", (words: string) => `<strong><a href=/l>${words}</a></strong>`],
  ["a quoted link", (words: string) => ` <em><a href=/l>“${words}”</a></em> `],
])("keeps a paragraph of an article that is %s from end to end", (_, link) => {
  const article = linkedParagraphs(6, (number) => number % 2 === 1, link);
  const found = extract(
    `<header><nav><a href=/>Home</a></nav></header><article>${article}</article><footer>End.</footer>`,
    BASE,
    new Headers(),
  );
  for (let number = 0; number < 6; number++) expect(found.text).toContain(sentence(number));
  expect(found.links).toContain("https://example.com/l");
});

test("drops a list of linked teasers beside an article", () => {
  const article = linkedParagraphs(6, () => false, String);
  const teasers = linkedParagraphs(
    8,
    () => true,
    (words) => `<a href=/l>${words.replace("harbour", "teaser")}</a>`,
  );
  const found = extract(`<article>${article}</article><div class=related>${teasers}</div>`, BASE, new Headers());
  expect(found.text).toContain(sentence(5));
  expect(found.text).not.toContain("teaser");
});

test("keeps the lines of code with their indentation, and resolves links against the page's base", () => {
  const code = "<pre>function a() {\n    return 1;\n}</pre>";
  const found = extract(`<base href="/docs/"><article>${prose}${code}</article><a href="d">d</a>`, BASE, new Headers());
  expect(found.text).toContain("function a() {\n    return 1;\n}");
  expect(found.links).toEqual(["https://example.com/docs/d"]);
});
