/** The corpus screen, for the operator: the sources of text, their crawls, and the removal of a page. */
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Crawl, Removal, Source } from "../../../../../shared/contracts/sources.ts";
import { Announcer } from "../../frame/announcer.tsx";
import { call } from "../../frame/api.ts";
import { Confirm } from "../../frame/confirm.tsx";
import { ForOperator } from "../../frame/for-operator.tsx";
import { ago, bytes, count, counted, NONE } from "../../frame/numbers.ts";
import { overview, watchOverview } from "../../frame/overview.ts";
import { Table } from "../../frame/table.tsx";
import { poll, type Polled } from "../../frame/polling.ts";
import { Problem } from "../../frame/problem.tsx";

const EVERY_MS = 2000;

const sources = signal<readonly Source[] | null>(null);
const crawls = signal<readonly Crawl[]>([]);
const problem = signal("");
const said = signal("");
let polled: Polled<[Source[], Crawl[]]> | null = null;

function watch(): void {
  polled = poll(() => Promise.all([call<Source[]>("GET", "/sources"), call<Crawl[]>("GET", "/crawls")]), EVERY_MS);
  polled.value.subscribe((value) => {
    if (value !== null) [sources.value, crawls.value] = value;
  });
  polled.error.subscribe((error) => {
    problem.value = error?.message ?? "";
  });
}

/** Shows how many of a crawl's pages were kept, failed or skipped, one bar for each result. */
function CrawlCard({ crawl, source }: { crawl: Crawl; source: Source | undefined }) {
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
      <h3>{source?.url ?? crawl.source}</h3>
      <p class="speed">
        {state === "running"
          ? `Running: ${counted(fetched, "page")} read, ${count(queued)} waiting`
          : `Done: ${counted(fetched, "page")} read`}
        , begun {ago(crawl.startedAt)}, {bytes(crawl.bytes)} of text
      </p>
      <dl class="bars">
        {rows
          .filter(([, value]) => value > 0)
          .map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>
                <meter min="0" max={most} value={value} aria-label={`${name}: ${value}`} /> {count(value)}
              </dd>
            </div>
          ))}
      </dl>
    </li>
  );
}

function AddSource() {
  const url = useRef<HTMLInputElement>(null);
  const budget = useRef<HTMLInputElement>(null);
  const kind = useRef<HTMLSelectElement>(null);
  const act = async () => {
    const source = await call<Source>("POST", "/sources", {
      url: url.current?.value ?? "",
      kind: kind.current?.value ?? "site",
      pageBudget: Number(budget.current?.value ?? 500),
    });
    await call<Crawl[]>("POST", "/crawls", { source: source.id });
    polled?.refresh();
  };
  return (
    <Confirm label="Add a source" act={act} isQuiet={false}>
      <p>Its pages are read now and again when they are due: politely, one at a time, and only what the site allows.</p>
      <label>
        Address
        <input ref={url} type="url" required maxLength={1000} placeholder="https://example.com/docs/" />
      </label>
      <label>
        Kind
        <select ref={kind}>
          <option value="site">a site, page by page below this address</option>
          <option value="feed">a feed (RSS, Atom, JSON)</option>
        </select>
      </label>
      <label>
        Pages at most
        <input ref={budget} type="number" min="1" max="10000" defaultValue="500" required />
      </label>
    </Confirm>
  );
}

function RemovePage() {
  const url = useRef<HTMLInputElement>(null);
  const act = async () => {
    const address = url.current?.value ?? "";
    const { removed } = await call<Removal>("DELETE", `/documents?url=${encodeURIComponent(address)}`);
    said.value = `${counted(removed, "document")} removed. The address is never read again.`;
  };
  return (
    <Confirm label="Remove a page" act={act}>
      <p>
        The text of this address goes from the corpus under every address that has the same text, and the address is never read again.
        Models that have learned from it are not changed. This cannot be undone.
      </p>
      <label>
        Address
        <input ref={url} type="url" required maxLength={1000} />
      </label>
    </Confirm>
  );
}

function Sources() {
  const all = sources.value ?? [];
  return (
    <div class="panel">
      <h2 id="sources">Sources</h2>
      {sources.value !== null && all.length === 0 && <p>None yet. Add the address of a site that you may read.</p>}
      {all.length > 0 && (
        <Table heading="sources" columns={["Address", "Kind", "Pages at most", "Last crawl", "Again"]}>
          {all.map(({ id, url, kind, pageBudget }) => {
            const last = crawls.value.find(({ source }) => source === id);
            return (
              <tr key={id}>
                <th scope="row">{url}</th>
                <td>{kind}</td>
                <td>{count(pageBudget)}</td>
                <td>{last === undefined ? NONE : ago(last.startedAt)}</td>
                <td>
                  {kind !== "upload" && (
                    <Confirm
                      label="Crawl"
                      act={async () => {
                        await call<Crawl[]>("POST", "/crawls", { source: id });
                        polled?.refresh();
                      }}
                    >
                      <p>All pages of this source are asked for again; those that have not changed cost little.</p>
                    </Confirm>
                  )}
                </td>
              </tr>
            );
          })}
        </Table>
      )}
      <div class="buttons">
        <AddSource />
        <RemovePage />
      </div>
      <output>{said}</output>
    </div>
  );
}

function Kept() {
  useEffect(watch, []);
  return (
    <>
      <Problem text={problem.value} />
      <Sources />
      <section class="panel" aria-labelledby="crawls">
        <h2 id="crawls">Crawls, newest first</h2>
        {crawls.value.length === 0 && <p>None yet.</p>}
        <ul class="crawls">
          {crawls.value.map((crawl) => (
            <CrawlCard key={crawl.id} crawl={crawl} source={sources.value?.find(({ id }) => id === crawl.source)} />
          ))}
        </ul>
      </section>
    </>
  );
}

export function Corpus() {
  useEffect(watchOverview, []);
  const corpus = overview.value?.corpus ?? null;
  const sentence =
    corpus === null
      ? "Looking at the corpus…"
      : `${counted(corpus.documents, "document")} of ${counted(corpus.sources, "source")}: ${bytes(corpus.bytes)} of text to learn from.`;
  return (
    <>
      <h1>Corpus</h1>
      <Announcer text={sentence} />
      <ForOperator what="Sources, crawls and the removal of pages are the operator’s.">
        <Kept />
      </ForOperator>
    </>
  );
}
