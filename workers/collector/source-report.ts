/**
 * What became of the documents of each source, over all its crawls: kept and dropped ones by reason, languages, licences, and masked
 * personal data. Each line has the address of an example. A document that a later crawl finds unchanged does not count again.
 */
import type { SourceReport } from "../../shared/contracts/sources.ts";
import type { Candidate } from "./candidate.ts";
import type { Verdict } from "./corpus.ts";

type What = "kept" | "dropped" | "language" | "licence" | "masked";
type Line = { what: What; name: string; documents: number; bytes: number; example: string };

export class SourceReports {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec(
      "CREATE TABLE IF NOT EXISTS source_reports (source TEXT NOT NULL, what TEXT NOT NULL, name TEXT NOT NULL, documents INTEGER NOT NULL, bytes INTEGER NOT NULL, example TEXT NOT NULL, PRIMARY KEY (source, what, name)) WITHOUT ROWID",
    );
  }

  /** Counts documents of one source. One row is written for each line that changes. */
  add(source: string, added: readonly { candidate: Candidate; verdict: Verdict; bytes: number }[]): void {
    const lines = new Map<string, Line>();
    const count = (what: What, name: string, example: string, { documents = 1, bytes = 0 }) => {
      const line = lines.get(`${what} ${name}`) ?? { what, name, documents: 0, bytes: 0, example };
      lines.set(`${what} ${name}`, { ...line, documents: line.documents + documents, bytes: line.bytes + bytes });
    };
    for (const { candidate, verdict, bytes } of added) {
      const { document, masked } = candidate;
      if (verdict !== "stored") {
        count("dropped", verdict, document.url, { bytes });
        continue;
      }
      count("kept", "", document.url, { bytes });
      count("language", document.lang, document.url, { bytes });
      count("licence", document.licence, document.url, { bytes });
      for (const [what, documents] of Object.entries(masked)) count("masked", what, document.url, { documents });
    }
    for (const line of lines.values()) this.#add(source, line);
  }

  /** Counts documents that were refused before they reached the corpus. */
  refuse(source: string, reason: string, example: string, documents: number, bytes: number): void {
    this.#add(source, { what: "dropped", name: reason, documents, bytes, example });
  }

  #add(source: string, { what, name, documents, bytes, example }: Line): void {
    this.#sql.exec(
      `INSERT INTO source_reports VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET documents = documents + excluded.documents,
       bytes = bytes + excluded.bytes, example = CASE excluded.example WHEN '' THEN example ELSE excluded.example END`,
      source,
      what,
      name,
      documents,
      bytes,
      example,
    );
  }

  of(source: string): SourceReport {
    const lines = this.#sql
      .exec<Line>("SELECT what, name, documents, bytes, example FROM source_reports WHERE source = ? ORDER BY documents DESC, name", source)
      .toArray();
    const named = (what: What) =>
      Object.fromEntries(
        lines.filter((line) => line.what === what).map(({ name, documents, bytes, example }) => [name, { documents, bytes, example }]),
      );
    const kept = lines.find(({ what }) => what === "kept") ?? { documents: 0, bytes: 0 };
    return {
      source,
      kept: { documents: kept.documents, bytes: kept.bytes },
      dropped: named("dropped"),
      languages: named("language"),
      licences: named("licence"),
      masked: Object.fromEntries(lines.filter(({ what }) => what === "masked").map(({ name, documents }) => [name, documents])),
    };
  }
}
