/**
 * The corpus in numbers, for the overview. Totals come from the list of segments and from the texts that no segment holds yet. So
 * a call reads few rows, however many documents there are.
 */
import type { CorpusTotals } from "../../shared/contracts/overview.ts";
import { crawlSchema } from "../../shared/contracts/sources.ts";

type Totals = { documents: number; bytes: number };

export function corpusTotals(sql: SqlStorage): CorpusTotals {
  const one = (query: string) => sql.exec<Totals>(query).one();
  const inSegments = one("SELECT COALESCE(SUM(documents), 0) AS documents, COALESCE(SUM(bytes), 0) AS bytes FROM segments");
  const open = one("SELECT COUNT(*) AS documents, COALESCE(SUM(bytes), 0) AS bytes FROM documents WHERE json IS NOT NULL");
  const newest = sql.exec<{ json: string }>("SELECT json FROM crawls ORDER BY started_at DESC LIMIT 1").toArray()[0];
  return {
    sources: sql.exec<{ count: number }>("SELECT COUNT(*) AS count FROM sources").one().count,
    documents: inSegments.documents + open.documents,
    bytes: inSegments.bytes + open.bytes,
    crawl: newest === undefined ? null : shown(newest.json),
  };
}

function shown(json: string): CorpusTotals["crawl"] {
  const { state, queued, fetched, failed, documents, startedAt, finishedAt } = crawlSchema.parse({ unchanged: 0, ...JSON.parse(json) });
  return { state, queued, fetched, failed, documents, startedAt, finishedAt };
}
