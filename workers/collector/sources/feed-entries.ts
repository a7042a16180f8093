/**
 * Parses the entries of a feed: RSS 0.9 to 2.0 with content:encoded, Atom (RFC 4287), JSON Feed 1.1. The content decides the
 * format, because many servers send a wrong Content-Type. A missing or unusable field stays empty; it is never guessed.
 */
import { XMLParser } from "fast-xml-parser";
import { decodeXml } from "../web/xml.ts";

/** Feeds have tens of entries, archives a few hundred. */
const MAX_ENTRIES = 1000;
const LISTS = new Set(["item", "entry", "link"]);
const XML = new XMLParser({
  removeNSPrefix: true,
  processEntities: false,
  ignoreAttributes: false,
  attributeNamePrefix: "@",
  textNodeName: "text",
  parseTagValue: false,
  isArray: (name) => LISTS.has(name),
  // Markup inside these elements is the text itself, so the parser keeps it as written.
  stopNodes: ["..content", "..encoded", "..description", "..summary", "..title"],
});

export interface FeedEntry {
  /** The article's address; null if the feed does not give it. */
  url: string | null;
  title: string;
  lang: string;
  licence: string;
  /** The full content in the feed; empty if the feed has only a summary. */
  content: { type: "html" | "text"; value: string };
}

type Node = Record<string, unknown>;

const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null && !Array.isArray(value);
const nodesOf = (value: unknown): Node[] => (Array.isArray(value) ? value.filter(isNode) : isNode(value) ? [value] : []);
const firstOf = (value: unknown): unknown => (Array.isArray(value) ? value[0] : value);
const stringOf = (value: unknown): string => (typeof value === "string" ? value : "");

/** The text of an XML element. An element with attributes is a node, other elements are strings. */
function textOf(value: unknown): string {
  const first = firstOf(value);
  return decodeXml(stringOf(isNode(first) ? first.text : first)).trim();
}

/** Returns null if the text is not a feed. */
export function parseFeed(text: string, base: string): FeedEntry[] | null {
  const content = text.replace(/^\uFEFF/, "").trimStart();
  try {
    return content.startsWith("{") ? jsonEntries(JSON.parse(content), base) : content.startsWith("<") ? xmlEntries(content, base) : null;
  } catch {
    // Text that does not parse is not a feed. The caller reads it as a page.
    return null;
  }
}

function resolved(href: string, base: string): string | null {
  if (href === "" || !URL.canParse(href, base)) return null;
  const url = new URL(href, base);
  return /^https?:$/.test(url.protocol) ? url.href : null;
}

function jsonEntries(feed: unknown, base: string): FeedEntry[] | null {
  if (!isNode(feed) || !stringOf(feed.version).startsWith("https://jsonfeed.org/version/")) return null;
  return nodesOf(feed.items)
    .slice(0, MAX_ENTRIES)
    .map((item) => {
      const html = stringOf(item.content_html);
      return {
        url: resolved(stringOf(item.url), base),
        title: stringOf(item.title).trim(),
        lang: stringOf(item.language) || stringOf(feed.language),
        licence: "",
        content: html === "" ? { type: "text", value: stringOf(item.content_text) } : { type: "html", value: html },
      };
    });
}

function xmlEntries(content: string, base: string): FeedEntry[] | null {
  // HTML pages are recognized here, before the slower parser runs.
  if (!/^(?:rss|feed|RDF)$/i.test(rootOf(content))) return null;
  const tree: unknown = XML.parse(content);
  if (!isNode(tree)) return null;
  const [rss, rdf, feed] = [tree.rss, tree.RDF, tree.feed].map(firstOf);
  if (isNode(rss)) {
    const channel = firstOf(rss.channel);
    return isNode(channel) ? rssEntries(channel.item, channel, base) : [];
  }
  if (isNode(rdf)) return rssEntries(rdf.item, isNode(rdf.channel) ? rdf.channel : {}, base);
  return isNode(feed) ? atomEntries(feed, base) : null;
}

/** The name of the first element, without its namespace prefix. */
function rootOf(content: string): string {
  for (const [, name] of content.matchAll(/<!--[\s\S]*?(?:-->|$)|<([a-z][\w.-]*(?::[\w.-]+)?)/gi))
    if (name !== undefined) return name.replace(/^.*:/, "");
  return "";
}

function rssEntries(items: unknown, channel: Node, base: string): FeedEntry[] {
  const [lang, licence] = [textOf(channel.language), licenceOf(channel, base)];
  return nodesOf(items)
    .slice(0, MAX_ENTRIES)
    .map((item) => {
      const links = Array.isArray(item.link) ? item.link.map(textOf).filter((link) => link !== "") : [];
      const guid = firstOf(item.guid);
      const permalink = isNode(guid) && guid["@isPermaLink"] === "false" ? "" : textOf(guid);
      return {
        url: resolved(links[0] ?? (/^https?:/.test(permalink) ? permalink : ""), base),
        title: textOf(item.title),
        lang: textOf(item.language) || lang,
        licence: licenceOf(item, base) || licence,
        content: { type: "html", value: textOf(item.encoded) },
      };
    });
}

function atomEntries(feed: Node, base: string): FeedEntry[] {
  const [lang, licence, from] = [stringOf(feed["@lang"]), licenceOf(feed, base), resolved(stringOf(feed["@base"]), base) ?? base];
  return nodesOf(feed.entry)
    .slice(0, MAX_ENTRIES)
    .map((entry) => {
      const here = resolved(stringOf(entry["@base"]), from) ?? from;
      const links = nodesOf(entry.link).filter((link) => (link["@rel"] ?? "alternate") === "alternate");
      const page = links.find((link) => link["@type"] === "text/html") ?? links[0];
      // The parser drops namespace prefixes, so media:content (a picture with a `url` attribute) looks like Atom's content. It is
      // skipped here.
      const content = [entry.content].flat().find((candidate) => !(isNode(candidate) && "@url" in candidate));
      const type = isNode(content) ? stringOf(content["@type"]) : "";
      const value = type === "xhtml" && isNode(content) ? stringOf(content.text) : textOf(content);
      return {
        url: resolved(stringOf(page?.["@href"]), here),
        title: textOf(entry.title),
        lang: stringOf(entry["@lang"]) || lang,
        licence: licenceOf(entry, base) || licence,
        content: { type: /html/i.test(type) ? "html" : "text", value: type === "" || /^(text|x?html)/i.test(type) ? value : "" },
      };
    });
}

/** The URL of a licence: a link with rel="license", or an element of Creative Commons. */
function licenceOf(node: Node, base: string): string {
  const link = nodesOf(node.link).find((candidate) => candidate["@rel"] === "license")?.["@href"];
  const element = firstOf(node.license);
  return resolved(stringOf(link) || (isNode(element) ? stringOf(element["@resource"]) : "") || textOf(element), base) ?? "";
}
