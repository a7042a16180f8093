/** Extracts main text, title, language and links of an HTML page, with Readability on linkedom. */
import { Readability } from "@mozilla/readability";
import { parseHTML } from "linkedom";
import { unlinkParagraphs, type PageDocument } from "./linked-paragraphs.ts";
import type { Refusal } from "../refusal.ts";
import { reservationOf } from "./reservation.ts";

/** Shorter texts are menus or stubs. */
export const MIN_TEXT_LENGTH = 200;
const MAX_LINKS = 2000;
/**
 * Readability's time grows with the square of the nesting depth: four seconds at 4,000 levels. Browsers stop at 512 levels;
 * ordinary pages have 30. The number of elements is limited too, to a few seconds of work.
 */
const MAX_DEPTH = 500;
const MAX_ELEMENTS = 30_000;
/**
 * The parser takes about 300 bytes per element, and an isolate has 128 MB. At each tag the parser visits all open elements:
 * 3 s at 100,000 levels, 18 s at 200,000. Therefore a scan counts the tags before parsing. It allows about 200,000 elements and
 * 100,000 levels (unclosed tags such as `<br>` count as levels). The scan miscounts end tags inside comments; for such pages
 * only the limit on tags holds.
 */
const MAX_TAGS = 450_000;
const MAX_SUM_OF_DEPTHS = 6e9;
/**
 * The parser compares each attribute with the earlier attributes of its tag, and an attribute costs ten times an element:
 * 240,000 attributes take 6 s. The pages of extract.test.ts have at most 3,635 attributes, and at most 352 in one tag (script
 * text that looks like a tag).
 */
const MAX_TAG_ATTRIBUTES = 5000;
const MAX_ATTRIBUTES = 60_000;
/** Elements whose text starts and ends on its own line. */
const BLOCKS = new Set(
  "ADDRESS ARTICLE BLOCKQUOTE BR DD DIV DL DT H1 H2 H3 H4 H5 H6 HEADER HR LI MAIN OL P PRE SECTION TABLE TD TH TR UL".split(" "),
);
/**
 * Elements that are never part of the text, even inside an article. Without figures the score of extract.test.ts is 0.5 %
 * higher.
 */
const LEFT_OUT = new Set("ASIDE BUTTON FIGURE FOOTER FORM NAV NOSCRIPT SCRIPT STYLE TEMPLATE".split(" "));

export interface Extraction {
  text: string;
  title: string;
  lang: string;
  links: string[];
  /** Why the text must not be kept; null if it may be kept. */
  refusal: Refusal | null;
}

/** Extracts a page at the address `base`. Headers or meta tags that reserve the page against training give a refusal. */
export function extract(html: string, base: URL, headers: Headers): Extraction {
  if (!isParsable(html)) return { text: "", title: "", lang: "", links: [], refusal: { kind: "unusable", cause: "too-complex" } };
  const document = parsePage(html);
  const directives = [...document.querySelectorAll("meta[name]")]
    .filter((tag) => /^(robots|tiffinbot)$/i.test(tag.getAttribute("name") ?? ""))
    .map((tag) => tag.getAttribute("content") ?? "")
    .concat(headers.get("x-robots-tag") ?? "")
    .join(",");
  const links = /\b(nofollow|none)\b/i.test(directives) ? [] : linksOf(document, base);
  const title = document.querySelector("title")?.textContent?.trim() ?? "";
  const lang = document.querySelector("html[lang]")?.getAttribute("lang") ?? "";
  const by = reservationOf(headers, directives);
  if (by !== null) return { text: "", title, lang, links, refusal: { kind: "reserved", by } };
  return judged(mainText(document), { title, lang, links });
}

/** Extracts a page of plain text, by the same rules. */
export function extractPlain(text: string, headers: Headers): Extraction {
  const nothing = { title: "", lang: "", links: [] };
  const by = reservationOf(headers);
  return by === null ? judged(text.trim(), nothing) : { text: "", ...nothing, refusal: { kind: "reserved", by } };
}

const judged = (text: string, rest: Pick<Extraction, "title" | "lang" | "links">): Extraction => ({
  text,
  ...rest,
  refusal: text.length < MIN_TEXT_LENGTH ? { kind: "unusable", cause: "too-short" } : null,
});

/** True if parsing is sure to stay within the limits of time and memory. */
export function isParsable(html: string): boolean {
  const open = new Map<string, number>();
  let [tags, depth, sum, attributes] = [0, 0, 0, 0];
  const tag = /<(\/?)([a-z][^\s/>]*)/gi;
  for (let match = tag.exec(html); match !== null; match = tag.exec(html)) {
    const [, end, written] = match;
    const rest = attributesFrom(html, tag.lastIndex);
    tag.lastIndex = rest.end;
    attributes += rest.count;
    if (rest.count > MAX_TAG_ATTRIBUTES || attributes > MAX_ATTRIBUTES) return false;
    const name = written!.toLowerCase();
    // An end tag without a start closes nothing.
    const change = end === "" ? 1 : open.get(name) ? -1 : 0;
    open.set(name, (open.get(name) ?? 0) + change);
    depth += change;
    sum += depth;
    if (++tags > MAX_TAGS || sum > MAX_SUM_OF_DEPTHS) return false;
  }
  return true;
}

/**
 * Counts attributes from `start`, a position within a tag, up to the tag's end. A quote opens a value only after an equals
 * sign.
 */
function attributesFrom(html: string, start: number): { count: number; end: number } {
  let [count, at, isWithin, isValue] = [0, start, false, false];
  for (; at < html.length && html[at] !== ">"; at++) {
    const letter = html[at]!;
    if (isValue && (letter === '"' || letter === "'")) {
      const close = html.indexOf(letter, at + 1);
      at = close === -1 ? html.length : close;
      isWithin = false;
    } else if (letter === "/" || letter.trim() === "") isWithin = false;
    else if (!isWithin) {
      count++;
      isWithin = true;
    }
    // Blanks may separate the equals sign from its value.
    if (letter.trim() !== "") isValue = letter === "=";
  }
  return { count, end: at };
}

/**
 * A page may omit its html, head and body tags, but linkedom builds only written tags, so missing tags are added here.
 * linkedom also takes a body only if the body follows the head directly. Otherwise linkedom makes an empty body, and this
 * function replaces it with the real body.
 */
export function parsePage(html: string): PageDocument {
  const [hasHtml, hasBody] = [/<html[\s>]/i.test(html), /<body[\s>]/i.test(html)];
  const missing = hasHtml && hasBody ? "" : hasBody ? "<html>" : "<html><body>";
  const { document } = parseHTML(`${missing}${html}`);
  const [body, made] = [document.querySelector("body"), document.body];
  // If the real body comes first, linkedom puts the empty body inside it.
  if (body !== null && !body.contains(made)) made.replaceWith(body);
  return document;
}

function linksOf(document: PageDocument, base: URL): string[] {
  const href = document.querySelector("base[href]")?.getAttribute("href");
  const from = href !== null && href !== undefined && URL.canParse(href, base.href) ? new URL(href, base.href) : base;
  return [...document.querySelectorAll("a[href]")].slice(0, MAX_LINKS).flatMap((anchor) => {
    const target = anchor.getAttribute("href") ?? "";
    return URL.canParse(target, from.href) ? [new URL(target, from).href] : [];
  });
}

/** The text of an HTML fragment that is all content, such as a feed entry. Null if the fragment is too complex to parse. */
export function extractFragment(html: string): string | null {
  return isParsable(html) ? blockText(parsePage(html).body) : null;
}

/** The article that Readability finds. Changes the document. */
export function mainText(document: PageDocument): string {
  const body = blockText(document.body);
  if (!isSimple(document.documentElement)) return body;
  unlinkParagraphs(document);
  const article = new Readability(document as never, { charThreshold: MIN_TEXT_LENGTH }).parse();
  const main = article?.content ? blockText(parsePage(article.content).body) : "";
  // Readability finds nothing on pages that are all code or lists. For these pages the main text is the whole body.
  return main.length >= MIN_TEXT_LENGTH ? main : body;
}

/** True if Readability is sure to end in time. */
function isSimple(root: unknown): boolean {
  const stack = [{ node: root as TreeNode, depth: 0 }];
  let elements = 0;
  for (let item = stack.pop(); item !== undefined; item = stack.pop()) {
    const { node, depth } = item;
    if (depth > MAX_DEPTH || ++elements > MAX_ELEMENTS) return false;
    for (const child of node.childNodes) if (child.nodeType === 1) stack.push({ node: child, depth: depth + 1 });
  }
  return true;
}

interface TreeNode {
  nodeType: number;
  nodeName: string;
  textContent: string | null;
  childNodes: Iterable<TreeNode>;
}

/**
 * The text of a node, with a line break around each block. White space is folded, except in preformatted parts, which keep
 * their lines and indentation. No line ends in blanks. The walk is iterative, because pages nest without limit.
 */
function blockText(root: unknown): string {
  const lines: string[] = [];
  let line = "";
  const endLine = () => {
    lines.push(line.trimEnd());
    line = "";
  };
  const stack: { node: TreeNode | "break"; preformatted: boolean }[] = [{ node: root as TreeNode, preformatted: false }];
  for (let item = stack.pop(); item !== undefined; item = stack.pop()) {
    const { node, preformatted } = item;
    if (node === "break") endLine();
    else if (node.nodeType === 3 && preformatted) {
      for (const [index, part] of (node.textContent ?? "").split("\n").entries()) {
        if (index > 0) endLine();
        line += part;
      }
    } else if (node.nodeType === 3) {
      const words = (node.textContent ?? "").replace(/\s+/g, " ");
      line += line === "" ? words.trimStart() : words;
    } else if (node.nodeType === 1 && !LEFT_OUT.has(node.nodeName.toUpperCase())) {
      const name = node.nodeName.toUpperCase();
      const block = BLOCKS.has(name);
      if (block) stack.push({ node: "break", preformatted });
      const children = [...node.childNodes].toReversed();
      for (const child of children) stack.push({ node: child, preformatted: preformatted || name === "PRE" });
      if (block) stack.push({ node: "break", preformatted });
    }
  }
  endLine();
  return lines
    .join("\n")
    .replace(/\n{3,}/g, "\n\n")
    .replace(/^\n+|\n+$/g, "");
}
