/**
 * Stores one uploaded file as a crawl of its collection's source: the upload adapter reads the file, the catalog stores the
 * documents. A second upload of the file replaces its earlier documents, so a failed upload can be repeated.
 */
import type { Crawl, Source } from "../../shared/contracts/sources.ts";
import type { UploadRequest } from "../../shared/contracts/uploads.ts";
import { reasonOf } from "./refusal.ts";
import { ADAPTERS } from "./sources/adapters.ts";
import type { Resource } from "./sources/source.ts";
import { storeFindings } from "./store-findings.ts";

/** An upload is never crawled, so these crawl settings have no effect. */
export const uploadSource = (collection: string): Source => ({
  id: `upload-${collection}`,
  kind: "upload",
  url: `upload:${collection}`,
  scope: "path",
  pageBudget: 1,
  revisitSeconds: 31_536_000,
  createdAt: new Date().toISOString(),
});

export async function uploadFile(env: CollectorEnv, request: UploadRequest, bytes: Uint8Array<ArrayBuffer>): Promise<Crawl> {
  const catalog = env.CATALOG.getByName("catalog");
  const source = await catalog.putSource(uploadSource(request.collection));
  const { crawl } = await catalog.openCrawl(source.id);
  const url = `${source.url}/${request.file}`;
  const whole = { status: 200, headers: new Headers(), body: null, rest: null, truncated: false, reserved: false };
  const resource: Resource = { kind: "page", url, bytes, ...whole };
  const refused = new Map<string, number>();
  const stored = await storeFindings(
    ADAPTERS.upload.read(resource, async () => null),
    { catalog, crawl: crawl.id, source: source.id, quality: request.quality },
    (found) => ({ ...found, lang: found.lang || request.lang, licence: found.licence || request.licence }),
    async (refusal) => {
      const reason = reasonOf(refusal);
      refused.set(reason, (refused.get(reason) ?? 0) + 1);
    },
  );
  for (const [reason, count] of refused) await catalog.skip(crawl.id, reason, "fetched", { url, count });
  await catalog.withdrawRest(url, stored.urls);
  await catalog.finish(crawl.id);
  return (await catalog.crawl(crawl.id))!;
}
