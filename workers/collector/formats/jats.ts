/** Reads a paper in JATS XML (ANSI/NISO Z39.96, jats.nlm.nih.gov), as PubMed Central and many publishers serve it. */
import { DOMParser } from "linkedom";
import { isParsable } from "../web/extract.ts";
import { licenceOfStatement, textOfTree, type FoundPaper, type TreeNode, type Treatment } from "./paper-text.ts";

const DROPPED = new Set(
  "ref-list table-wrap fig fig-group table-wrap-group supplementary-material fn-group ack label object-id media graphic inline-graphic tex-math mml:math author-notes".split(
    " ",
  ),
);
const BLOCKS = new Set("sec title p list list-item disp-quote abstract body boxed-text def-item".split(" "));

/** Null if the XML has no article, or is too complex. */
export function paperOfJats(xml: string): FoundPaper | null {
  // Declared entities are never expanded.
  const content = xml.replace(/<!DOCTYPE[^>[]*(?:\[[^\]]*\])?[^>]*>/i, "");
  if (!isParsable(content)) return null;
  const document = new DOMParser().parseFromString(content, "text/xml");
  const article = document.querySelector("article");
  if (article === null) return null;
  const title = article.querySelector("article-title")?.textContent?.replaceAll(/\s+/g, " ").trim() ?? "";
  const abstract = article.querySelector("article-meta > abstract");
  const body = article.querySelector("body");
  const licence = article.querySelector("permissions license");
  const statement = `${licence?.getAttribute("xlink:href") ?? ""} ${licence?.textContent ?? ""}`;
  const parts = [title, ...[abstract, body].map((part) => (part === null ? "" : textOfTree(part as unknown as TreeNode, treatmentOf)))];
  return {
    title,
    text: parts.filter((part) => part !== "").join("\n\n"),
    lang: article.getAttribute("xml:lang") ?? "",
    licence: licenceOfStatement(statement),
  };
}

function treatmentOf(node: TreeNode): Treatment {
  const name = node.nodeName.toLowerCase();
  if (name === "disp-formula" || name === "inline-formula") return formulaOf(node, name === "disp-formula");
  if (DROPPED.has(name)) return "drop";
  return BLOCKS.has(name) ? "block" : "inline";
}

/** The TeX of a formula, without the document around it that some publishers add; else the characters of its MathML. */
function formulaOf(formula: TreeNode, isBlock: boolean): Treatment {
  const tex = find(formula, "tex-math")?.textContent ?? "";
  const [, inner] = /\\begin\{document\}\s*\$*([\s\S]*?)\$*\s*\\end\{document\}/.exec(tex) ?? [];
  const plain = (inner ?? tex).trim().replace(/^\$+|\$+$/g, "");
  const math = plain === "" ? (find(formula, "mml:math")?.textContent ?? "").replaceAll(/\s+/g, " ").trim() : plain;
  const dollars = isBlock ? "$$" : "$";
  return { text: math === "" ? "" : `${dollars}${math}${dollars}`, isBlock };
}

function find(node: TreeNode, name: string): TreeNode | null {
  const stack = [...node.childNodes];
  for (let each = stack.shift(); each !== undefined; each = stack.shift()) {
    if (each.nodeName.toLowerCase() === name) return each;
    stack.push(...each.childNodes);
  }
  return null;
}
