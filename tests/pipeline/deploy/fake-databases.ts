/**
 * The fake account's answers about D1. Each database is a real SQLite database, so migrations, queries, exports and imports
 * really run.
 */
import { createHash } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import { jsonOf, type FakeAccount, type FakeDatabase, type Route } from "./fake-account.ts";

/** The address for downloads of exports and uploads of imports. It needs no token, because the address is secret. */
const SIGNED = "/signed";

const quoted = (value: unknown): string =>
  value === null ? "NULL" : typeof value === "string" ? `'${value.replaceAll("'", "''")}'` : String(value);

/** The rows of some tables as SQL statements. */
function dump({ sqlite }: FakeDatabase, tables: readonly string[]): string {
  const inserts = tables.flatMap((table) =>
    sqlite
      .prepare(`SELECT * FROM "${table}"`)
      .all()
      .map((row) => `INSERT INTO "${table}" VALUES(${Object.values(row).map(quoted).join(",")});`),
  );
  return ["PRAGMA defer_foreign_keys=TRUE;", ...inserts].join("\n");
}

/** A single SELECT returns its rows; other statements are executed. */
function run({ sqlite }: FakeDatabase, sql: string): unknown[] {
  if (/^\s*(SELECT|PRAGMA)\b/i.test(sql)) return sqlite.prepare(sql).all();
  sqlite.exec(sql);
  return [];
}

const finished = { success: true, status: "complete", messages: [], at_bookmark: "b" };
const meta = { duration: 1, rows_read: 1, rows_written: 1, size_after: 1 };

const shown = ({ uuid, name }: FakeDatabase) => ({ uuid, name, version: "production", num_tables: 0, file_size: 0 });

export function databaseRoutes(account: FakeAccount): readonly Route[] {
  return [
    [
      "GET",
      /^\/d1\/database$/,
      ({ query }) => ({ result: [...account.databases.values()].filter(({ name }) => (query.get("name") ?? name) === name).map(shown) }),
    ],
    [
      "POST",
      /^\/d1\/database$/,
      ({ body }) => {
        const { name } = jsonOf<{ name: string }>(body);
        const database = { uuid: account.uuid(), name, sqlite: new DatabaseSync(":memory:"), file: "" };
        account.databases.set(name, database);
        return { result: shown(database) };
      },
    ],
    ["GET", /^\/d1\/database\/([^/]+)$/, ({ params: [id] }) => ({ result: shown(account.database(id)) })],
    ["DELETE", /^\/d1\/database\/([^/]+)$/, ({ params: [id] }) => ({ result: account.databases.delete(account.database(id).name) })],
    [
      "POST",
      /^\/d1\/database\/([^/]+)\/(?:query|raw)$/,
      ({ params: [id], body }) => {
        const results = run(account.database(id), jsonOf<{ sql: string }>(body).sql);
        return { result: [{ results, success: true, meta }] };
      },
    ],
    [
      "POST",
      /^\/d1\/database\/([^/]+)\/export$/,
      ({ params: [id], body, origin }) => {
        const database = account.database(id);
        database.file = dump(database, jsonOf<{ dump_options: { tables: string[] } }>(body).dump_options.tables);
        return { result: { ...finished, result: { filename: "dump.sql", signed_url: `${origin}${SIGNED}/${id}` } } };
      },
    ],
    [
      "POST",
      /^\/d1\/database\/([^/]+)\/import$/,
      ({ params: [id], body, origin }) => {
        if (jsonOf<{ action: string }>(body).action === "init")
          return { result: { filename: "dump.sql", upload_url: `${origin}${SIGNED}/${id}` } };
        const database = account.database(id);
        // D1 imports a file in one transaction, so that rows may come before the rows they refer to.
        database.sqlite.exec(`BEGIN;\n${database.file}\nCOMMIT;`);
        return { result: { ...finished, result: { num_queries: 1, final_bookmark: "b", meta } } };
      },
    ],
    ["GET", /^\/signed\/(.+)$/, ({ params: [id] }) => ({ bytes: Buffer.from(account.database(id).file) })],
    [
      "PUT",
      /^\/signed\/(.+)$/,
      ({ params: [id], body }) => {
        account.database(id).file = body.toString("utf8");
        return { bytes: Buffer.alloc(0), etag: createHash("md5").update(body).digest("hex") };
      },
    ],
  ];
}
