/**
 * Stores one uploaded file as a crawl of its collection's source: the upload adapter reads the file, the catalog stores the
 * documents. A second upload of the file replaces its earlier documents, so a failed upload can be repeated.
 */
import type { Document } from "../../shared/artifacts.ts";
import type { Crawl, Source } from "../../shared/contracts/sources.ts";
import type { UploadRequest } from "../../shared/contracts/uploads.ts";
import { corpusDocument } from "./corpus-document.ts";
import { reasonOf } from "./refusal.ts";
import { ADAPTERS } from "./sources/adapters.ts";
import type { Resource } from "./sources/source.ts";

/** Documents are stored in batches of this size. A file may have more lines than an invocation may make calls. */
const BATCH = 100;

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
  const resource: Resource = { kind: "page", url, status: 200, headers: new Headers(), bytes, truncated: false, reserved: false };
  const kept: string[] = [];
  const refused = new Map<string, number>();
  let batch: Document[] = [];
  for await (const finding of ADAPTERS[source.kind].read(resource)) {
    if (finding.kind === "document") {
      const { document } = finding;
      const stated = { lang: document.lang || request.lang, licence: document.licence || request.licence };
      batch.push(await corpusDocument({ ...document, ...stated }, source.id));
      kept.push(document.url);
    } else if (finding.kind === "refusal") {
      const reason = reasonOf(finding.refusal);
      refused.set(reason, (refused.get(reason) ?? 0) + 1);
    }
    if (batch.length === BATCH) {
      await catalog.appendAll(crawl.id, source.id, batch);
      batch = [];
    }
  }
  await catalog.appendAll(crawl.id, source.id, batch);
  for (const [reason, count] of refused) await catalog.skip(crawl.id, reason, "fetched", { url, count });
  await catalog.withdrawRest(url, kept);
  await catalog.finish(crawl.id);
  return (await catalog.crawl(crawl.id))!;
}
