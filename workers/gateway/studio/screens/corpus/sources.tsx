/** The sources of text: adding one, crawling one again, and removing a page. */
import { signal } from "@preact/signals";
import { useRef } from "preact/hooks";
import type { Crawl, Removal, Source } from "../../../../../shared/contracts/sources.ts";
import { call } from "../../frame/api.ts";
import { Confirm } from "../../frame/confirm.tsx";
import { ago, count, counted, NONE } from "../../frame/numbers.ts";
import { Table } from "../../frame/table.tsx";
import { crawls, refresh, sources } from "./live.ts";

const said = signal("");

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
    refresh();
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

export function Sources() {
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
                        refresh();
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
