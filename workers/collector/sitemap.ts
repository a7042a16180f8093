/** Page addresses of a sitemap: urlset and index, as XML. Entities are not expanded; the number of addresses is capped. */
import { XMLParser } from "fast-xml-parser";

/** As the sitemap protocol says (sitemaps.org). */
const MAX_URLS = 50_000;

interface Entry {
  loc?: unknown;
}

export function parseSitemap(xml: string): { pages: string[]; sitemaps: string[] } {
  let tree: { urlset?: { url?: Entry[] }; sitemapindex?: { sitemap?: Entry[] } };
  try {
    tree = new XMLParser({ removeNSPrefix: true, processEntities: false, isArray: (name) => name === "url" || name === "sitemap" }).parse(
      xml,
    );
  } catch {
    // A file that is no XML names no pages; the crawl goes on by links.
    return { pages: [], sitemaps: [] };
  }
  const locations = (entries: Entry[] | undefined) =>
    (entries ?? [])
      .slice(0, MAX_URLS)
      .map((entry) =>
        String(entry?.loc ?? "")
          .trim()
          .replaceAll("&amp;", "&"),
      )
      .filter((href) => URL.canParse(href));
  return { pages: locations(tree?.urlset?.url), sitemaps: locations(tree?.sitemapindex?.sitemap) };
}
