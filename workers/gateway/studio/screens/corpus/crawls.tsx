/** The crawls, and the pages of one of them with what became of each. */
import { useSignalEffect } from "@preact/signals";
import type { CrawlPages, PageVerdict } from "../../../../../shared/contracts/documents.ts";
import type { Crawl } from "../../../../../shared/contracts/sources.ts";
import { parameter, setParameters } from "../../frame/address.ts";
import { ListInParts } from "../../frame/list-in-parts.ts";
import { ago, bytes, count, counted, NONE } from "../../frame/numbers.ts";
import { Problem } from "../../frame/problem.tsx";
import { StepLink } from "../../frame/step-link.tsx";
import { Table } from "../../frame/table.tsx";
import { Address } from "./address.tsx";
import { crawls, sources } from "./live.ts";

const VERDICTS: Readonly<Record<PageVerdict, string>> = {
  refused: "not kept",
  failed: "failed",
  kept: "kept",
  duplicate: "text known already",
  unchanged: "unchanged",
};
const VERDICT_NAMES = Object.keys(VERDICTS) as PageVerdict[];

const nameOf = (crawl: Crawl) => sources.value?.find(({ id }) => id === crawl.source)?.url ?? crawl.source;

/** Shows how many of a crawl's pages were kept, failed or skipped, one bar for each result. */
function CrawlCard({ crawl, name }: { crawl: Crawl; name: string }) {
  const { state, queued, fetched, documents, duplicates, unchanged, failed, skipped } = crawl;
  const rows: [string, number][] = [
    ["Kept", documents],
    ["Text known already", duplicates],
    ["Unchanged", unchanged],
    ["Failed", failed],
    ...Object.entries(skipped).map(([reason, pages]): [string, number] => [reason, pages]),
  ];
  const most = Math.max(1, ...rows.map(([, value]) => value));
  return (
    <li class="crawl">
      <h3>{name}</h3>
      <p class="speed">
        {state === "running"
          ? `Running: ${counted(fetched, "page")} read, ${count(queued)} waiting`
          : `Done: ${counted(fetched, "page")} read`}
        , begun {ago(crawl.startedAt)}, {bytes(crawl.bytes)} of text
      </p>
      <dl class="bars">
        {rows
          .filter(([, value]) => value > 0)
          .map(([what, value]) => (
            <div key={what}>
              <dt>{what}</dt>
              <dd>
                <meter min="0" max={most} value={value} aria-label={`${what}: ${value}`} /> {count(value)}
              </dd>
            </div>
          ))}
      </dl>
      <p>
        <StepLink changes={{ crawl: crawl.id, verdict: null }}>
          Its pages<span class="unseen"> of {name}</span>
        </StepLink>
      </p>
    </li>
  );
}

export function Crawls() {
  return (
    <section class="panel" aria-labelledby="crawls">
      <h2 id="crawls">Crawls, newest first</h2>
      {crawls.value.length === 0 && <p>None yet. A crawl begins when a source is added, and again when the source is due.</p>}
      <ul class="crawls">
        {crawls.value.map((crawl) => (
          <CrawlCard key={crawl.id} crawl={crawl} name={nameOf(crawl)} />
        ))}
      </ul>
    </section>
  );
}

const pages = new ListInParts((answer: CrawlPages) => answer.pages);

const verdictInAddress = () => VERDICT_NAMES.find((each) => each === parameter("verdict")) ?? "";

const readPages = (crawl: string, cursor: number | null = null) =>
  void pages.read(`/crawls/${encodeURIComponent(crawl)}/pages`, { verdict: verdictInAddress() }, cursor);

/** The pages of the crawl in the page's address. */
export function Pages() {
  useSignalEffect(() => {
    const crawl = parameter("crawl");
    pages.clear();
    if (crawl !== null) readPages(crawl);
  });
  const id = parameter("crawl");
  if (id === null) return null;
  const crawl = crawls.value.find((each) => each.id === id);
  const { entries, problem, cursor } = pages;
  return (
    <div class="panel">
      <h2 id="pages">Pages of {crawl === undefined ? id : nameOf(crawl)}</h2>
      <div class="controls">
        <label>
          What became of them
          <select
            value={verdictInAddress()}
            onChange={({ currentTarget }) => setParameters({ verdict: currentTarget.value === "" ? null : currentTarget.value })}
          >
            <option value="">anything</option>
            {VERDICT_NAMES.map((each) => (
              <option key={each} value={each}>
                {VERDICTS[each]}
              </option>
            ))}
          </select>
        </label>
        <button type="button" class="quiet" onClick={() => setParameters({ crawl: null, verdict: null }, true)}>
          Close the list
        </button>
      </div>
      <Problem text={problem.value} />
      {entries.value === null && problem.value === "" && <p class="speed">Reading the list…</p>}
      {entries.value?.length === 0 && <p>No page here. Only the newest 5,000 pages of all crawls are listed.</p>}
      {entries.value !== null && entries.value.length > 0 && (
        <Table heading="pages" columns={["Address", "Became", "Why", "When"]}>
          {entries.value.map(({ url, verdict, reason, at }) => (
            <tr key={`${url} ${at}`}>
              <th scope="row">
                <Address url={url} />
              </th>
              <td>{VERDICTS[verdict]}</td>
              <td>{reason ?? NONE}</td>
              <td>{ago(at)}</td>
            </tr>
          ))}
        </Table>
      )}
      {cursor.value !== null && (
        <div class="buttons">
          <button type="button" class="quiet" onClick={() => readPages(id, cursor.value)}>
            Older pages
          </button>
        </div>
      )}
    </div>
  );
}
