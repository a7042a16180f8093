/** Wiki templates that stand for words in a sentence. All others, such as boxes and citations, show no prose. */

/** The parameter (from 1) that these templates show. */
const SHOWN: Readonly<Record<string, number>> = {
  abbr: 1, blockquote: 1, "block indent": 1, em: 1, ill: 1, "interlanguage link": 1, lang: 2, linktext: 1, math: 1, mvar: 1, nihongo: 1, nobr: 1,
  nobold: 1, nowrap: 1, pgn: 1, quote: 1, small: 1, smallcaps: 1, sortname: 1, strong: 1, tooltip: 1, transliteration: 2, translit: 2, val: 1, var: 1,
  zitat: 1, citation: 1, formatnum: 1,
}; // prettier-ignore
const DATES = new Set(["birth date", "birth date and age", "death date", "death date and age", "start date", "end date", "date", "dts"]);

/** The words of a template with these parts: the name and the parameters. */
export function textOfTemplate(parts: readonly string[]): string {
  const name = (parts[0] ?? "").trim().toLowerCase().replaceAll("_", " ");
  const parameters = parts.slice(1).filter((part) => !/^\s*[\p{L}\d _-]{1,40}=/u.test(part) || /^\s*1\s*=/.test(part));
  const shown = (place: number) => (parameters[place - 1] ?? "").replace(/^\s*1\s*=/, "").trim();
  if (name === "!") return "|";
  if (name === "=") return "=";
  if (name === "snd" || name === "spnd" || name === "spaced ndash") return " – ";
  if (name === "convert" || name === "cvt")
    return shown(3) === "" || !/^(?:to|-|–|and|by|x)$/.test(shown(2))
      ? `${shown(1)} ${shown(2)}`
      : `${shown(1)} ${shown(2)} ${shown(3)} ${shown(4)}`;
  if (name === "circa" || name === "c.") return `c. ${shown(1)}`.trim();
  if (name === "as of") return `As of ${parameters.map((part) => part.trim()).join("-")}`;
  if (name === "frac" || name === "sfrac") return shown(2) === "" ? shown(1) : `${shown(1)}/${shown(2)}`;
  if (DATES.has(name))
    return parameters
      .map((part) => part.trim())
      .filter((part) => /^\d+$/.test(part))
      .slice(0, 3)
      .join("-");
  // {{lang-de|Wort}} and the like.
  if (/^lang-[a-z-]{2,10}$/.test(name)) return shown(1);
  return shown(SHOWN[name] ?? Infinity);
}
