/**
 * Reads the addresses in a sitemap, in every form of the protocol (sitemaps.org): urlset, index, RSS, Atom, plain text.
 * Entities that a file declares are never expanded. The number of addresses is limited.
 */
import { XMLParser } from "fast-xml-parser";
import { decodeXml } from "./xml.ts";

/** The limit of the protocol. */
const MAX_URLS = 50_000;
const LISTS = new Set(["url", "sitemap", "item", "entry", "link"]);
const XML = new XMLParser({
  removeNSPrefix: true,
  processEntities: false,
  ignoreAttributes: false,
  attributeNamePrefix: "",
  textNodeName: "text",
  isArray: (name) => LISTS.has(name),
});

export interface Sitemap {
  pages: string[];
  sitemaps: string[];
}

/** An XML element: its text, or its child elements (for example `loc`) with the text. */
type Element = string | { text?: unknown; loc?: unknown; href?: unknown; link?: Element[] } | undefined;

interface Tree {
  urlset?: { url?: Element[] };
  sitemapindex?: { sitemap?: Element[] };
  rss?: { channel?: { item?: Element[] } };
  feed?: { entry?: Element[] };
}

function addressOf(element: Element): unknown {
  if (typeof element !== "object") return element;
  return element.loc ?? element.href ?? (element.link === undefined ? element.text : addressOf(element.link[0]));
}

function addresses(candidates: readonly unknown[] | undefined): string[] {
  return (candidates ?? [])
    .slice(0, MAX_URLS)
    .map((candidate) => decodeXml((typeof candidate === "string" ? candidate : "").trim()))
    .filter((href) => /^https?:/i.test(href) && URL.canParse(href));
}

export function parseSitemap(text: string): Sitemap {
  const content = text.replace(/^\uFEFF/, "").trim();
  if (!content.startsWith("<")) return { pages: addresses(content.split(/[\r\n]+/)), sitemaps: [] };
  let tree: Tree;
  try {
    tree = XML.parse(content) as Tree;
  } catch {
    // A broken file names no pages; the crawl continues by links.
    return { pages: [], sitemaps: [] };
  }
  const pages = [tree.urlset?.url, tree.rss?.channel?.item, tree.feed?.entry].flatMap((list) => list ?? []);
  return { pages: addresses(pages.map(addressOf)), sitemaps: addresses(tree.sitemapindex?.sitemap?.map(addressOf)) };
}
