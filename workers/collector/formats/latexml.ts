/** Reads a paper in the HTML of LaTeXML (math.nist.gov/~BMiller/LaTeXML), as arXiv serves it. */
import { isParsable, parsePage } from "../web/extract.ts";
import { licenceOfStatement, textOfTree, type FoundPaper, type TreeNode, type Treatment } from "./paper-text.ts";

/** Classes of parts that are not prose: references, authors, notes on the page, tables, figures, code of pictures, navigation. */
const DROPPED = new Set(
  "ltx_bibliography ltx_authors ltx_note_outer ltx_role_footnotemark ltx_page_footer ltx_page_navbar ltx_TOC ltx_table ltx_figure ltx_picture ltx_ERROR ltx_dates ltx_pagination ltx_rdf package-alerts ltx_tag_equation".split(
    " ",
  ),
);
const BLOCKS = new Set("SECTION DIV P H1 H2 H3 H4 H5 H6 LI UL OL DL DT DD TABLE TR BLOCKQUOTE PRE ARTICLE".split(" "));
const LEFT_OUT = new Set("SCRIPT STYLE NAV BUTTON FOOTER HEADER FIGURE SVG FORM ASIDE TEMPLATE".split(" "));

/** Null if the page is not a paper of LaTeXML. */
export function paperOfHtml(html: string): FoundPaper | null {
  if (!/\bltx_(?:document|page_main)\b/.test(html) || !isParsable(html)) return null;
  const document = parsePage(html);
  const article = document.querySelector(".ltx_document") ?? document.querySelector(".ltx_page_main");
  if (article === null) return null;
  const statement = document.querySelector("#license-tr, .ltx_license, a[rel=license]");
  const title =
    (document.querySelector(".ltx_title_document") ?? document.querySelector("title"))?.textContent?.replaceAll(/\s+/g, " ").trim() ?? "";
  return {
    title,
    text: textOfTree(article as unknown as TreeNode, treatmentOf),
    lang: document.querySelector("html[lang]")?.getAttribute("lang") ?? "",
    licence: licenceOfStatement(`${statement?.getAttribute("href") ?? ""} ${statement?.textContent ?? ""}`),
  };
}

function treatmentOf(node: TreeNode): Treatment {
  const name = node.nodeName.toUpperCase();
  if (LEFT_OUT.has(name)) return "drop";
  const classes = (node.getAttribute?.("class") ?? "").split(/\s+/);
  if (classes.some((each) => DROPPED.has(each))) return "drop";
  if (name === "MATH") {
    const tex = node.getAttribute?.("alttext") ?? "";
    const isBlock = node.getAttribute?.("display") === "block";
    return { text: tex === "" ? "" : isBlock ? `$$${tex}$$` : `$${tex}$`, isBlock };
  }
  // An equation is a table whose cells hold the formula and its number.
  if (classes.includes("ltx_eqn_table") || classes.includes("ltx_equation")) return "block";
  if (name === "TD" || name === "TH") return "inline";
  return BLOCKS.has(name) ? "block" : "inline";
}
