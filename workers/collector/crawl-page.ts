/** One queue message: fetch the page, keep its text if it may be kept, hand its links to the host. */
import { documentSchema } from "../../shared/artifacts.ts";
import { sha256 } from "../../shared/store.ts";
import { extract, type Extraction } from "./extract.ts";
import { fetchPage } from "./fetch-page.ts";
import type { PageMessage } from "./host.ts";
import { isAllowed } from "./robots.ts";

export async function crawlPage(env: CollectorEnv, message: PageMessage): Promise<void> {
  const catalog = env.CATALOG.getByName("catalog");
  const host = env.HOST.getByName(message.origin);
  const crawl = await catalog.crawl(message.crawl);
  if (!(await host.claim(message))) return;
  let links: string[] = [];
  try {
    const robots = await host.robots(message.origin);
    const page = await fetchPage(new URL(message.url), env.LOCAL_ORIGIN, (url) => url.origin === message.origin && isAllowed(robots, url));
    const type = page.headers.get("content-type") ?? "";
    if (page.status !== 200) await catalog.skip(message.crawl, `status-${page.status}`, page.status >= 500);
    else if (!/^(text\/html|application\/xhtml\+xml|text\/plain)/i.test(type)) await catalog.skip(message.crawl, "content-type");
    else {
      const plain: Extraction = { text: page.text.trim(), title: "", lang: "", links: [], refusal: null };
      const found = /^text\/plain/i.test(type) ? plain : extract(page.text, page.url, page.headers);
      links = found.links;
      if (robots.reserved) await catalog.skip(message.crawl, "ai-train=no");
      else if (found.refusal !== null) await catalog.skip(message.crawl, found.refusal);
      else {
        const hash = await sha256(new TextEncoder().encode(found.text));
        await catalog.append(
          message.crawl,
          documentSchema.parse({
            id: hash,
            url: page.url.href,
            text: found.text,
            title: found.title,
            lang: found.lang,
            licence: "",
            source: crawl?.source ?? "",
            fetchedAt: new Date().toISOString(),
            sha256: hash,
          }),
        );
      }
    }
  } catch (error) {
    const [reason] = (error as Error).message.split(":");
    await catalog.skip(message.crawl, reason ?? "error", true);
  }
  await host.complete(message, links);
}
