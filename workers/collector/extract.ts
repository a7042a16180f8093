/** Main text, title, language and links of an HTML page, through Readability on linkedom. */
import { Readability } from "@mozilla/readability";
import { parseHTML } from "linkedom";

/** Shorter texts are menus and stubs. */
const MIN_TEXT_LENGTH = 200;
const MAX_LINKS = 2000;
const BLOCKS = new Set([
  "P",
  "DIV",
  "SECTION",
  "ARTICLE",
  "LI",
  "UL",
  "OL",
  "PRE",
  "BLOCKQUOTE",
  "TABLE",
  "TR",
  "H1",
  "H2",
  "H3",
  "H4",
  "H5",
  "H6",
  "BR",
  "HR",
  "DL",
  "DT",
  "DD",
]);

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
  const { document } = parseHTML(html);
  const links = [...document.querySelectorAll("a[href]")].slice(0, MAX_LINKS).flatMap((anchor) => {
    const href = anchor.getAttribute("href");
    return href !== null && URL.canParse(href, base.href) ? [new URL(href, base).href] : [];
  });
  const meta = [...document.querySelectorAll("meta[name]")]
    .filter((tag) => /^(robots|tiffinbot)$/i.test(tag.getAttribute("name") ?? ""))
    .map((tag) => tag.getAttribute("content") ?? "");
  const title = document.querySelector("title")?.textContent?.trim() ?? "";
  const lang = document.documentElement?.getAttribute("lang") ?? "";
  const reserved = reservation([...meta, headers.get("x-robots-tag") ?? ""].join(","), headers);
  if (reserved !== null) return { text: "", title, lang, links, refusal: reserved };

  const body = blockText(document.body);
  const article = new Readability(document as never, { charThreshold: MIN_TEXT_LENGTH }).parse();
  const main = article?.content ? blockText(parseHTML(`<html><body>${article.content}</body></html>`).document.body) : "";
  // Readability finds nothing on pages that are all code or lists; their whole body is then the main text.
  const text = main.length >= MIN_TEXT_LENGTH ? main : body;
  return { text, title, lang, links, refusal: text.length < MIN_TEXT_LENGTH ? "too-short" : null };
}

function reservation(directives: string, headers: Headers): string | null {
  if (/\b(noindex|noai|none)\b/i.test(directives)) return "noindex";
  if (/ai-train\s*=\s*no\b/i.test(headers.get("content-signal") ?? "")) return "ai-train=no";
  if (/train-ai\s*=\s*n\b/i.test(headers.get("content-usage") ?? "")) return "train-ai=n";
  return null;
}

interface TreeNode {
  nodeType: number;
  nodeName: string;
  textContent: string | null;
  childNodes: Iterable<TreeNode>;
}

/** Text with a line break around each block, white space folded except in preformatted parts. Iterative: pages nest without limit. */
function blockText(root: unknown): string {
  const parts: string[] = [];
  const stack: { node: TreeNode | string; preformatted: boolean }[] = [{ node: root as TreeNode, preformatted: false }];
  for (let item = stack.pop(); item !== undefined; item = stack.pop()) {
    const { node, preformatted } = item;
    if (typeof node === "string") parts.push(node);
    else if (node.nodeType === 3) parts.push(preformatted ? (node.textContent ?? "") : (node.textContent ?? "").replace(/\s+/g, " "));
    else if (node.nodeType === 1 && !/^(SCRIPT|STYLE|NOSCRIPT|TEMPLATE|NAV)$/i.test(node.nodeName)) {
      const name = node.nodeName.toUpperCase();
      const block = BLOCKS.has(name);
      if (block) stack.push({ node: "\n", preformatted });
      const children = [...node.childNodes].toReversed();
      for (const child of children) stack.push({ node: child, preformatted: preformatted || name === "PRE" });
      if (block) stack.push({ node: "\n", preformatted });
    }
  }
  return parts
    .join("")
    .replace(/[ \t]*\n[ \t]*/g, (gap) => (gap.includes("\n") ? "\n" : gap))
    .replace(/\n{3,}/g, "\n\n")
    .trim();
}
