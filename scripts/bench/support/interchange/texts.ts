/**
 * Texts on which tokenizers often differ: pieces in random order, random characters, long runs, and files of this repository.
 * Every run has the same texts.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createRandom } from "../../../../shared/model/random.ts";
import { ROOT } from "../../../local/workers.ts";

/** Contractions, white space of all kinds, scripts, digits, punctuation, emoji, and names of special tokens as plain text. */
const PIECES = [
  ..."'|'s|'S|'LL|'re|n't|’s|O'Neill|the| The|ing|ß|é|e\u0301|ﬁ|ª|日本語|한국어|عربى|हिन्दी|ไทย|𝒳|𠀀|Grüße".split("|"),
  ..." |  |\t|\n|\r\n|\r|\n\n|\v|\f|\u0085|\u00a0|\u2003|\u2028|\u3000|\u200b|\ufeff|\u180e|\u001c".split("|"),
  ...'0|42|3.14|1e9|½|Ⅷ|१२|１|𝟙|!|...|--|==>|/* */|#|_|__init__|$x|@|\\|"|<|</|€|„|{}|();|=>'.split("|"),
  ..."😀|👩🏽‍💻|🇩🇪|❤️|\uffff|\u{10ffff}|\u0300|\u200d|\u0001|\u001f|\u007f".split("|"),
];
const REAL_CHARACTERS = 300;

const listOf = <T>(length: number, make: () => T): T[] => Array.from({ length }, make);

/** At least 4,000 texts that are not empty. No text has a zero byte, because llama.cpp would end the text there. */
export function difficultTexts(): string[] {
  const random = createRandom(20);
  const below = (limit: number) => Math.floor(random() * limit);
  const piece = () => PIECES[below(PIECES.length)]!;
  const pieces = () => listOf(1 + below(24), piece).join("");
  const characters = (limit: number) => String.fromCodePoint(...listOf(1 + below(40), () => 1 + below(limit))).toWellFormed();
  const sources = readdirSync(join(ROOT, "shared"), { recursive: true, encoding: "utf8" }).filter((path) => /\.(ts|md)$/.test(path));
  const real = ["README.md", ...sources.toSorted().map((path) => join("shared", path))].flatMap((path) => {
    const text = readFileSync(join(ROOT, path), "utf8").slice(0, 20 * REAL_CHARACTERS);
    return Array.from({ length: Math.ceil(text.length / REAL_CHARACTERS) }, (_, at) =>
      text.slice(at * REAL_CHARACTERS, (at + 1) * REAL_CHARACTERS),
    );
  });
  return [
    ...PIECES,
    ...listOf(1800, pieces),
    ...listOf(500, () => characters(0x2ff)),
    ...listOf(500, () => characters(0xffff)),
    ...listOf(300, () => characters(0x10_ffff)),
    ...listOf(300, () => piece().repeat(2 + below(120)) + pieces()),
    ...real.map((text) => text.toWellFormed()),
  ].filter((text) => text !== "");
}
