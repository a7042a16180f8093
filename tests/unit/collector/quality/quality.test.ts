/** The quality of documents: repaired characters, masked data, languages, the published filters, and sketches. */
import { expect, test } from "vitest";
import { brokenRule } from "../../../../workers/collector/quality/filters.ts";
import { languageOf } from "../../../../workers/collector/quality/language.ts";
import { mask } from "../../../../workers/collector/quality/mask.ts";
import { similarityOf, sketchOf } from "../../../../workers/collector/quality/minhash.ts";
import { createRandom } from "../../../../shared/model/random.ts";
import { repair } from "../../../../workers/collector/quality/repair.ts";

/** Reads UTF-8 as windows-1252, as broken software does. */
const broken = (text: string) => new TextDecoder("windows-1252").decode(new TextEncoder().encode(text));

test.each(["Café – “naïve” coöperation … 5 € 🎉", "Всё хорошо, что хорошо кончается.", "Ελληνικά γράμματα", "日本語の文章です。"])(
  "mojibake of %j becomes that text again",
  (text) => {
    expect(broken(text)).not.toBe(text);
    expect(repair(broken(text))).toBe(text);
  },
);

test.each(["Ça va? «Café» à 5°", "SÃO PAULO, MÃE", "Der Spaß« und »Größe«", "â, ê, î", "Ð and Þ", "100 Â", "Привет", "日本語"])(
  "%j stays as it is",
  (text) => {
    expect(repair(text)).toBe(text);
  },
);

test("text becomes NFC without control characters", () => {
  expect(repair("e\u0301\r\na\u0000b\u0007\tc\uD800")).toBe("é\nab\tc\uFFFD");
});

test.each([
  ["Write to jane.doe+x@mail.example-site.co.uk!", "Write to email@example.com!"],
  ["git@github.com:a/b.git and npm i @scope/pkg@1.2.3", null],
  ["from 8.8.8.8 to 127.0.0.1 and 192.168.1.1", "from 192.0.2.1 to 127.0.0.1 and 192.168.1.1"],
  ["version 1.2.3.4-beta2 of 10.0.0.1", null],
  ["call +49 30 1234567 or (212) 555-1234", "call +1 202 555 0100 or +1 202 555 0100"],
  ["between 1990-2000, 3.14159, 2026-12-01, 12:34:56, a::b::c", null],
  [`AKIA${"ABCDEFGH".repeat(2)} and ghp_${"a1B2".repeat(9)}`, "<key> and <key>"],
  ["-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "<key>"],
  ["ping 2606:4700:4700::1111 now", "ping 2001:db8::1 now"],
])("personal data in %j are masked, and nothing else", (text, masked) => {
  expect(mask(text).text).toBe(masked ?? text);
});

test("masking is counted by kind", () => {
  expect(mask("a@b.com, c@d.org, 8.8.4.4").counts).toEqual({ email: 2, ip: 1 });
});

test.each([
  ["en", "The old woman rowed out to the lamp every evening, and nobody in the town knew what she was thinking about on the way."],
  ["de", "Die alte Frau ruderte jeden Abend zur Lampe hinaus, und niemand in der Stadt wusste, woran sie auf dem Weg dorthin dachte."],
  ["fr", "La vieille femme ramait chaque soir vers la lampe, et personne dans la ville ne savait à quoi elle pensait en chemin."],
  [
    "ru",
    "Старая женщина каждый вечер плыла на лодке к лампе, и никто в городе не знал, о чём она думала по дороге туда. Это был обычный вечер, и вы тоже ничего бы не заметили, если бы стояли на берегу.",
  ],
  ["", "too short"],
])("identifies %j", (lang, text) => {
  expect(languageOf(text)).toBe(lang);
});

/** Lines of words that do not repeat each other, with the common words of English in between. */
const SYLLABLES = ["ba", "ce", "di", "fo", "gu", "ha", "ke", "li", "mo", "nu", "pa", "re"];
const random = createRandom(3);
const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
const word = () => Array.from({ length: 2 + Math.floor(random() * 2) }, () => pick(SYLLABLES)).join("");
const PROSE = Array.from({ length: 30 }, () => {
  const words = Array.from({ length: 14 }, (_, place) => (place % 3 === 1 ? pick(["the", "of", "and", "to", "with"]) : word()));
  return `${words.join(" ")}.`;
});

test.each([
  [null, PROSE],
  ["gopher-words", PROSE.slice(0, 1)],
  ["gopher-word-length", PROSE.map((line) => line.replaceAll(" ", "_").replace("_", " "))],
  ["gopher-symbols", PROSE.map((line) => `${line} # # # # #`)],
  ["gopher-letters", PROSE.map((line) => `${line} 1001 2002 3003 4004 5005 6006`)],
  ["gopher-stop-words", PROSE.map((line) => line.replaceAll(/\b(?:the|to|of|that|with|and|have|be)\b/g, "xx"))],
  ["gopher-bullets", PROSE.map((line) => `- ${line}`)],
  ["gopher-ellipses", PROSE.map((line) => `${line}...`)],
  ["gopher-duplicate-lines", [...PROSE, ...PROSE.slice(0, 12)]],
  ["gopher-duplicate-ngrams", PROSE.map((line) => `${line} And so it was told again and again to every child in that town.`)],
  ["fineweb-punctuation", PROSE.map((line) => line.slice(0, -1))],
  ["fineweb-short-lines", PROSE.flatMap((line) => line.match(/(?:\S+ ?){1,4}/g) ?? [])],
  [
    "fineweb-repeated-lines",
    PROSE.flatMap((line, n) => (n % 4 === 0 ? [line, "Recommended Neighbouring Announcements Everywhere."] : [line])),
  ],
] as const)("the rule %s", (rule, lines) => {
  expect(brokenRule(lines.join("\n"), "en")).toBe(rule);
});

test("rules on words do not judge languages without spaces", () => {
  const text = Array.from(
    { length: 9 },
    (_, n) => `${n}番目の灯台守は、その年の秋に町の人々へ長い手紙を書いて、${n}艘の舟がまだ帰って来ないことを知らせました。`,
  ).join("\n");
  expect(brokenRule(text, "ja")).toBeNull();
});

test("the similarity of sketches estimates the share of common shingles", () => {
  const words = Array.from({ length: 1000 }, (_, n) => `w${n}`);
  const changed = [...words.slice(0, 900), ...Array.from({ length: 100 }, (_, n) => `x${n}`)];
  // 896 of 1,096 shingles are common. The estimate has a standard deviation of 0.037.
  expect(Math.abs(similarityOf(sketchOf(words.join(" ")), sketchOf(changed.join(" "))) - 896 / 1096)).toBeLessThan(0.12);
  expect(similarityOf(sketchOf(words.join(" ")), sketchOf(words.join(", ").toUpperCase()))).toBe(1);
  expect(similarityOf(sketchOf("one"), sketchOf("two"))).toBe(0);
});
