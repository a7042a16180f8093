/** Main text, title, language and links of an HTML page, through Readability on linkedom. */
import { Readability } from "@mozilla/readability";
import { parseHTML } from "linkedom";

/** Shorter texts are menus and stubs. */
const MIN_TEXT_LENGTH = 200;
const MAX_LINKS = 2000;
/**
 * Readability needs time that grows with the square of the nesting: four seconds at 4,000 levels. Browsers stop at 512
 * levels; ordinary pages have 30. The number of elements is bounded as well, at some seconds of work.
 */
const MAX_DEPTH = 500;
const MAX_ELEMENTS = 30_000;
/**
 * The parser needs about 300 bytes per element of an isolate's 128 MB, and goes through all open elements at each tag: 3 s
 * at 100,000 levels, 18 s at 200,000. Both are bounded before it begins, by the tags as they are written, at 200,000
 * elements and 100,000 levels or tags that are left open (`<br>`). End tags that hide in comments are not seen as such; the
 * number of tags bounds these pages, too.
 */
const MAX_TAGS = 450_000;
const MAX_SUM_OF_DEPTHS = 6e9;
/**
 * The parser looks for each attribute among those that the tag has already, and makes an object of it that costs ten times an
 * element: 240,000 take 6 s. The pages of tests/unit/collector/extract.test.ts have 3,635 at most, and up to 352 words in what
 * looks like a tag, in scripts.
 */
const MAX_TAG_ATTRIBUTES = 5000;
const MAX_ATTRIBUTES = 60_000;
/** Their text stands on lines of its own. */
const BLOCKS = new Set(
  "ADDRESS ARTICLE BLOCKQUOTE BR DD DIV DL DT H1 H2 H3 H4 H5 H6 HEADER HR LI MAIN OL P PRE SECTION TABLE TD TH TR UL".split(" "),
);
/** Never part of the text, inside an article either. Without figures the score on the pages of tests/unit/collector/extract.test.ts is 0.5 % higher. */
const LEFT_OUT = new Set("ASIDE BUTTON FIGURE FOOTER FORM NAV NOSCRIPT SCRIPT STYLE TEMPLATE".split(" "));

/** What `reservation` says. */
export const RESERVATIONS = ["noindex", "ai-train=no", "train-ai=n"] as const;

type Document = ReturnType<typeof parseHTML>["document"];

export interface Extraction {
  text: string;
  title: string;
  lang: string;
  links: string[];
  /** Why the text must not be kept; null when it may. */
  refusal: string | null;
}

/** Extracts from a page at `base`. Headers and meta tags that reserve rights against training are honoured. */
export function extract(html: string, base: URL, headers: Headers): Extraction {
  if (!isParsable(html)) return { text: "", title: "", lang: "", links: [], refusal: "too-complex" };
  const document = parsePage(html);
  const directives = [...document.querySelectorAll("meta[name]")]
    .filter((tag) => /^(robots|tiffinbot)$/i.test(tag.getAttribute("name") ?? ""))
    .map((tag) => tag.getAttribute("content") ?? "")
    .concat(headers.get("x-robots-tag") ?? "")
    .join(",");
  const links = /\b(nofollow|none)\b/i.test(directives) ? [] : linksOf(document, base);
  const title = document.querySelector("title")?.textContent?.trim() ?? "";
  const lang = document.querySelector("html[lang]")?.getAttribute("lang") ?? "";
  const refusal = reservation(directives, headers);
  if (refusal !== null) return { text: "", title, lang, links, refusal };
  return judged(mainText(document), { title, lang, links });
}

/** The same of a page that is plain text already. */
export function extractPlain(text: string, headers: Headers): Extraction {
  const nothing = { title: "", lang: "", links: [] };
  const refusal = reservation(headers.get("x-robots-tag") ?? "", headers);
  return refusal === null ? judged(text.trim(), nothing) : { text: "", ...nothing, refusal };
}

const judged = (text: string, rest: Pick<Extraction, "title" | "lang" | "links">): Extraction => ({
  text,
  ...rest,
  refusal: text.length < MIN_TEXT_LENGTH ? "too-short" : null,
});

/** Whether the parser can be trusted to end in time and memory. */
function isParsable(html: string): boolean {
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

/** What looks like attributes from a place within a tag on, and where the tag ends. Quotes are quotes after an equals sign only. */
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
    // Blanks may stand between the sign and the value.
    if (letter.trim() !== "") isValue = letter === "=";
  }
  return { count, end: at };
}

/**
 * The parser builds what is written, and a page may leave its html, head and body tags unwritten. It also takes for the body
 * only what follows the head at once, else a new and empty element, so the real one is put there.
 */
export function parsePage(html: string): Document {
  const [hasHtml, hasBody] = [/<html[\s>]/i.test(html), /<body[\s>]/i.test(html)];
  const missing = hasHtml && hasBody ? "" : hasBody ? "<html>" : "<html><body>";
  const { document } = parseHTML(`${missing}${html}`);
  const [body, made] = [document.querySelector("body"), document.body];
  // Where the real one comes first, the other is made within it.
  if (body !== null && !body.contains(made)) made.replaceWith(body);
  return document;
}

function linksOf(document: Document, base: URL): string[] {
  const href = document.querySelector("base[href]")?.getAttribute("href");
  const from = href !== null && href !== undefined && URL.canParse(href, base.href) ? new URL(href, base.href) : base;
  return [...document.querySelectorAll("a[href]")].slice(0, MAX_LINKS).flatMap((anchor) => {
    const target = anchor.getAttribute("href") ?? "";
    return URL.canParse(target, from.href) ? [new URL(target, from).href] : [];
  });
}

/** The article, as Readability finds it. Changes the document. */
export function mainText(document: Document): string {
  const body = blockText(document.body);
  if (!isSimple(document.documentElement)) return body;
  const article = new Readability(document as never, { charThreshold: MIN_TEXT_LENGTH }).parse();
  const main = article?.content ? blockText(parsePage(article.content).body) : "";
  // Readability finds nothing on pages that are all code or lists; their whole body is then the main text.
  return main.length >= MIN_TEXT_LENGTH ? main : body;
}

/** Why robots directives or headers forbid to keep a page for training. */
function reservation(directives: string, headers: Headers): (typeof RESERVATIONS)[number] | null {
  if (/\b(noindex|noai|none)\b/i.test(directives)) return "noindex";
  if (/ai-train\s*=\s*no\b/i.test(headers.get("content-signal") ?? "")) return "ai-train=no";
  if (/train-ai\s*=\s*n\b/i.test(headers.get("content-usage") ?? "")) return "train-ai=n";
  return null;
}

/** Whether Readability can be trusted to end in time. */
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
 * Text with a line break around each block. White space is folded except in preformatted parts, which keep their lines and
 * indentation; no line ends in blanks. Iterative: pages nest without limit.
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
