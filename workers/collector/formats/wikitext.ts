/**
 * Turns wiki markup into prose in one pass: time grows with the length of the text. Templates, tables, files, references and
 * comments go; the words of links stay. A few templates that stand for words give their words (wikitext-templates.ts). Headings
 * and lists keep their lines; sections without prose, such as references, go.
 *
 * wtf_wikipedia parses the same markup, but at 0.18 MB/s, and a page of 100,000 open braces takes it two minutes (measured
 * 2026-12-01), so it cannot read pages that anybody may write.
 */
import { decodeEntities } from "./entities.ts";
import { textOfTemplate } from "./wikitext-templates.ts";

/** Deeper nesting is read as text. */
const MAX_DEPTH = 60;
const MARKS = /\{\{|\}\}|\{\||\|\}|\[\[|\]\]|\|/g;
/** Elements whose content is not prose. */
const DROPPED = "ref|gallery|timeline|score|imagemap|templatestyles|indicator|mapframe|graph|hiero|references|noinclude|inputbox";
const PROTECTED = "math|chem|nowiki|pre|syntaxhighlight|source";
const ELEMENT = new RegExp(String.raw`<!--|<(${DROPPED}|${PROTECTED})\b[^<>]{0,500}>`, "gi");
const IS_PROTECTED = new RegExp(`^(?:${PROTECTED})$`);
const BREAK = /<br\b[^<>]{0,100}>|<\/(?:p|div|tr|li|blockquote|poem)\s*>/gi;
const TAG = /<\/?[a-z][^<>]{0,500}>/gi;
const EXTERNAL = /\[(?:https?:|ftp:|mailto:)?\/\/[^\s\]]{0,2000}(?: +([^\]\n]{0,2000}))?\]/g;
const HEADING = /^(={1,6})[ \t]*(.+?)[ \t]*\1[ \t]*$/;
/** Stands for protected text, which markup rules must not read. Private use characters do not occur in prose. */
const [OPEN, CLOSE] = ["\uE000", "\uE001"];
/** Links into these namespaces show no words in the text. English, German, French, Spanish, Portuguese, Italian, Dutch, Polish, Russian. */
const HIDDEN = new Set(
  "file image media category datei bild kategorie fichier catégorie archivo imagen categoría ficheiro imagem categoria immagine bestand afbeelding categorie plik grafika kategoria файл изображение категория".split(
    " ",
  ),
);
/** Sections that hold no prose. */
const NO_PROSE = new Set(
  "references|notes|footnotes|citations|sources|bibliography|further reading|external links|see also|gallery|einzelnachweise|weblinks|literatur|siehe auch|notes et références|voir aussi|liens externes|bibliographie|referencias|enlaces externos|véase también|bibliografía|referências|ligações externas|note|collegamenti esterni|altri progetti|voci correlate|bronnen|externe links|przypisy|linki zewnętrzne|примечания|ссылки|литература".split(
    "|",
  ),
);

interface Frame {
  close: "}}" | "|}" | "]]" | "";
  parts: string[];
}

/** The prose of a page. Empty for a redirect. */
export function proseOfWikitext(source: string): string {
  if (/^\s*#(?:redirect|weiterleitung|redirection|redirección|redirecionamento|перенаправление)\b/i.test(source)) return "";
  const kept: string[] = [];
  const keep = (text: string) => `${OPEN}${kept.push(text) - 1}${CLOSE}`;
  const plain = withoutElements(source.replaceAll(/[\uE000\uE001]/g, ""), (name, content) =>
    keep(name === "math" || name === "chem" ? `$${content.trim()}$` : content),
  );
  const words = expand(plain)
    .replace(BREAK, "\n")
    .replace(TAG, "")
    .replace(EXTERNAL, (_, label: string | undefined) => label ?? "")
    .replaceAll(/'{2,}/g, "")
    .replaceAll(/__[A-Z]{3,20}__/g, "");
  return linesOf(decodeEntities(words))
    .replaceAll(/\uE000(\d+)\uE001/g, (_, index: string) => kept[Number(index)] ?? "")
    .trim();
}

/** Drops comments and elements that are not prose. `keep` gets the content of protected elements and returns what stands for it. */
function withoutElements(source: string, keep: (name: string, content: string) => string): string {
  // Only ASCII letters, because other letters may change the length.
  const lower = source.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase());
  const missing = new Set<string>();
  const parts: string[] = [];
  let at = 0;
  for (const { 0: tag, 1: written, index } of source.matchAll(ELEMENT)) {
    if (index < at) continue;
    const name = written?.toLowerCase() ?? "";
    const end = name === "" ? "-->" : `</${name}`;
    const isClosed = tag.endsWith("/>");
    // A search that found nothing is not repeated, so the time stays linear.
    const close = isClosed || missing.has(end) ? -1 : lower.indexOf(end, index + tag.length);
    if (close === -1 && !isClosed) missing.add(end);
    parts.push(source.slice(at, index));
    at = index + tag.length;
    if (close === -1) continue;
    if (IS_PROTECTED.test(name)) parts.push(keep(name, source.slice(at, close)));
    const after = source.indexOf(">", close);
    at = after === -1 ? source.length : after + 1;
  }
  parts.push(source.slice(at));
  return parts.join("");
}

/** Resolves templates, tables and links with a stack, so nesting costs no second pass. */
function expand(source: string): string {
  const stack: Frame[] = [{ close: "", parts: [""] }];
  const put = (text: string) => {
    const { parts } = stack.at(-1)!;
    parts[parts.length - 1] += text;
  };
  let at = 0;
  for (const { 0: mark, index } of source.matchAll(MARKS)) {
    // A mark inside the last one, such as the second of three braces.
    if (index < at) continue;
    put(source.slice(at, index));
    at = index + mark.length;
    const frame = stack.at(-1)!;
    const isLineStart = index === 0 || /[\n:]/.test(source[index - 1]!);
    if (mark === frame.close) {
      stack.pop();
      put(wordsOf(frame));
    } else if (stack.length <= MAX_DEPTH && (mark === "{{" || mark === "[[" || (mark === "{|" && isLineStart)))
      stack.push({ close: mark === "{{" ? "}}" : mark === "[[" ? "]]" : "|}", parts: [""] });
    else if (mark === "|" && (frame.close === "}}" || frame.close === "]]")) frame.parts.push("");
    else if (frame.close !== "|}") put(mark);
  }
  put(source.slice(at));
  // What is still open was never closed, so its mark is text.
  while (stack.length > 1) {
    const { close, parts } = stack.pop()!;
    put(close === "|}" ? "" : parts.join("|"));
  }
  return stack[0]!.parts[0]!;
}

function wordsOf({ close, parts }: Frame): string {
  if (close === "|}") return "";
  return close === "}}" ? textOfTemplate(parts) : wordsOfLink(parts);
}

function wordsOfLink([target = "", ...labels]: readonly string[]): string {
  const [, prefix] = /^[ \t]*([^:|[\]\n]{2,30}):/.exec(target) ?? [];
  if (prefix !== undefined && (HIDDEN.has(prefix.toLowerCase().trim()) || (labels.length === 0 && /^[a-z]{2,3}(?:-[a-z]+)?$/.test(prefix))))
    return "";
  const label = labels.join("|").trim();
  if (label !== "") return label;
  const name = target.replace(/^\s*:?(?:[a-z]{1,12}:)?/i, (found) => (found.includes(":") ? "" : found)).trim();
  // The pipe trick: an empty label hides a bracket or the part after a comma.
  return labels.length === 0 ? name : name.replace(/\s*\([^()]*\)$|,.*$/, "");
}

function linesOf(text: string): string {
  const lines: string[] = [];
  /** Headings wait for prose below them. The depth of a dropped section hides deeper sections. */
  let waiting: { depth: number; title: string }[] = [];
  let hidden = Infinity;
  for (const raw of text.split("\n")) {
    const [, signs, title] = HEADING.exec(raw) ?? [];
    if (signs !== undefined && title !== undefined) {
      const depth = signs.length;
      if (depth > hidden) continue;
      hidden = NO_PROSE.has(title.toLowerCase().replace(/[:.\s]+$/, "")) ? depth : Infinity;
      waiting = waiting.filter((each) => each.depth < depth);
      if (hidden === Infinity) waiting.push({ depth, title });
      continue;
    }
    if (hidden < Infinity) continue;
    const line = lineOf(raw);
    if (line !== "") for (const each of waiting.splice(0)) lines.push("", each.title, "");
    lines.push(line);
  }
  return lines.join("\n").replaceAll(/\n{3,}/g, "\n\n");
}

function lineOf(raw: string): string {
  const [, marks = ""] = /^([*#:;]*)/.exec(raw) ?? [];
  const text = raw.slice(marks.length).trim();
  // Empty brackets are left over from templates such as pronunciations.
  const words = text
    .replaceAll(/\(\s*[;,]?\s*\)/g, "")
    .replaceAll(/[ \t]{2,}/g, " ")
    .replaceAll(/ +([,.;:])/g, "$1");
  if (words === "" || /^[-–—=|{}!\s]*$/.test(words)) return "";
  return /[*#]/.test(marks) ? `- ${words.trim()}` : words.trim();
}
