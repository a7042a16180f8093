/** Documents: a search by address, title and source, and one document as it is stored. */
import { signal, useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import type { Document, Documents as Found } from "../../../../../shared/contracts/documents.ts";
import { parameter, setParameters, textParameter } from "../../frame/address.ts";
import { call } from "../../frame/api.ts";
import { Facts } from "../../frame/facts.tsx";
import { ListInParts } from "../../frame/list-in-parts.ts";
import { bytes, NONE, shortHash } from "../../frame/numbers.ts";
import { Problem } from "../../frame/problem.tsx";
import { StepLink } from "../../frame/step-link.tsx";
import { Table } from "../../frame/table.tsx";
import { undeceived } from "../../frame/visible.ts";
import { Address } from "./address.tsx";
import { ended, sources } from "./live.ts";

/** A longer text is shown in part, so that the page stays quick. */
const MOST_SHOWN = 100_000;

const MOST_TITLE = 300;

const found = new ListInParts(({ documents }: Found) => documents);

const search = (cursor: number | null = null) =>
  void found.read("/documents", { query: textParameter("query"), source: textParameter("source") }, cursor);

const titleOf = (title: string | null, sha256: string) =>
  title === null || title === "" ? `(no title) ${shortHash(sha256)}` : undeceived(title);

function Search() {
  const query = useRef<HTMLInputElement>(null);
  const source = useRef<HTMLSelectElement>(null);
  return (
    <form
      class="controls"
      onSubmit={(event) => {
        event.preventDefault();
        setParameters({ query: query.current?.value ?? "", source: source.current?.value ?? "" }, true);
      }}
    >
      <label>
        Words of the title or address
        <input ref={query} type="search" maxLength={200} defaultValue={textParameter("query")} />
      </label>
      <label>
        Source
        <select ref={source} value={textParameter("source")}>
          <option value="">every source</option>
          {(sources.value ?? []).map(({ id, url }) => (
            <option key={id} value={id}>
              {url}
            </option>
          ))}
        </select>
      </label>
      <button type="submit">Find documents</button>
    </form>
  );
}

export function Documents() {
  useSignalEffect(() => {
    // A crawl that has ended has brought documents.
    void ended.value;
    search();
  });
  const { problem, cursor } = found;
  const all = found.entries.value;
  return (
    <div class="panel">
      <h2 id="documents">Documents, newest first</h2>
      <Search />
      <Problem text={problem.value} />
      {all === null && problem.value === "" && <p class="speed">Reading the list…</p>}
      {all?.length === 0 &&
        (textParameter("query") + textParameter("source") === "" ? (
          <p>None yet. Add a source above, or send files with PUT /uploads.</p>
        ) : (
          <p>No title or address has these words. Shorter words find more.</p>
        ))}
      {all !== null && all.length > 0 && (
        <Table heading="documents" columns={["Title", "Address", "Text"]}>
          {all.map(({ sha256, title, url, bytes: size }) => (
            <tr key={sha256}>
              <th scope="row">
                <StepLink changes={{ document: sha256 }} dir="auto">
                  {titleOf(title, sha256)}
                </StepLink>
              </th>
              <td>
                <Address url={url} />
              </td>
              <td>{bytes(size)}</td>
            </tr>
          ))}
        </Table>
      )}
      {cursor.value !== null && (
        <div class="buttons">
          <button type="button" class="quiet" onClick={() => search(cursor.value)}>
            Older documents
          </button>
        </div>
      )}
    </div>
  );
}

const shown = signal<Document | null>(null);
const shownProblem = signal("");

async function open(sha256: string): Promise<void> {
  shown.value = null;
  shownProblem.value = "";
  try {
    const document = await call<Document>("GET", `/documents/${encodeURIComponent(sha256)}`);
    if (parameter("document") === sha256) shown.value = document;
  } catch (error) {
    shownProblem.value = (error as Error).message;
  }
}

/** The document in the page's address, as it is stored. */
export function OneDocument() {
  const heading = useRef<HTMLHeadingElement>(null);
  useSignalEffect(() => {
    const sha256 = parameter("document");
    if (sha256 !== null) void open(sha256);
  });
  useSignalEffect(() => {
    if (shown.value !== null) requestAnimationFrame(() => heading.current?.focus());
  });
  if (parameter("document") === null) return null;
  const { value } = shown;
  return (
    <section class="panel" aria-labelledby="document">
      <h2 id="document" ref={heading} tabIndex={-1}>
        <bdi>{value === null ? "A document" : undeceived(value.title.slice(0, MOST_TITLE)) || "(no title)"}</bdi>
      </h2>
      <Problem text={shownProblem.value} />
      {value === null && shownProblem.value === "" && <p class="speed">Reading the document…</p>}
      {value !== null && (
        <>
          <Facts
            facts={[
              ["Address", <Address key="url" url={value.url} />],
              ["Licence", <bdi key="licence">{undeceived(value.licence) || "none stated"}</bdi>],
              ["Language", <bdi key="lang">{undeceived(value.lang) || NONE}</bdi>],
              ["Read", value.fetchedAt.slice(0, 16).replace("T", " ")],
              ["Source", sources.value?.find(({ id }) => id === value.source)?.url ?? value.source],
              ["SHA-256 of the text", <code key="hash">{shortHash(value.sha256)}…</code>],
            ]}
          />
          {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls needs the keyboard */}
          <pre class="stored" dir="auto" tabIndex={0}>
            {undeceived(value.text.slice(0, MOST_SHOWN))}
          </pre>
          {value.text.length > MOST_SHOWN && <p class="speed">Only the first {MOST_SHOWN.toLocaleString("en")} characters are shown.</p>}
        </>
      )}
      <div class="buttons">
        <button type="button" class="quiet" onClick={() => setParameters({ document: null }, true)}>
          Close the document
        </button>
      </div>
    </section>
  );
}
