/**
 * A backup of one deployment is restored into another. R2 and D1 belong to a fake account on loopback; the registry belongs to
 * the real Workers.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { presetOf } from "../../../shared/config.ts";
import { putJson, putObject } from "../../../shared/store.ts";
import { ROOT } from "../../../scripts/local/workers.ts";
import { harnessOfAll, OPERATOR_TOKEN } from "../harness.ts";
import { runCommand } from "./command.ts";
import { FakeCloudflare } from "./fake-cloudflare.ts";

vi.setConfig({ testTimeout: 600_000, hookTimeout: 300_000 });
const MIGRATIONS = join(ROOT, "workers/feedback/migrations");
const OBJECTS = ["sources/a b/1.json", "runs/r/parts/x.safetensors", "checkpoints/y.json"];
const cloud = new FakeCloudflare();
const server = harnessOfAll();
const folder = mkdtempSync(join(tmpdir(), "tiffin-backup-"));
let url: string;

/** A deployment's buckets and its migrated database, as `npm run deploy` leaves them. */
function addDeployment(prefix: string): DatabaseSync {
  for (const name of ["corpus", "artifacts"]) cloud.buckets.set(`${prefix}-${name}`, new Map());
  const sqlite = new DatabaseSync(":memory:");
  sqlite.exec("CREATE TABLE d1_migrations (id INTEGER PRIMARY KEY, name TEXT)");
  for (const file of readdirSync(MIGRATIONS).toSorted()) {
    sqlite.exec(readFileSync(join(MIGRATIONS, file), "utf8"));
    sqlite.exec(`INSERT INTO d1_migrations (name) VALUES ('${file}')`);
  }
  cloud.databases.set(`${prefix}-feedback`, { uuid: `${prefix}-id`, name: `${prefix}-feedback`, sqlite, file: "" });
  return sqlite;
}

const run = (command: string, ...args: string[]) => runCommand(cloud, command, { args: ["--url", url, ...args], env: { OPERATOR_TOKEN } });
const call = async (method: string, path: string, body?: unknown) => {
  const headers = { authorization: `Bearer ${OPERATOR_TOKEN}`, "content-type": "application/json" };
  const response = await server.fetch(path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  return { status: response.status, body: (await response.json()) as unknown };
};

beforeAll(async () => {
  await cloud.listen();
  url = (await server.listen()).url.origin;
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await server.close();
  await cloud.close();
});

/** A model whose objects are stored, and the request that publishes it. */
async function storedModel(round: number) {
  const { ARTIFACTS } = await server.getWorker<CoordinatorEnv>("tiffin-coordinator").getEnv();
  const tokenizer = await putObject(ARTIFACTS, "tokenizer", new TextEncoder().encode("{}"));
  const weights = [await putObject(ARTIFACTS, "part", Uint8Array.of(round))];
  const preset = presetOf("tiny");
  const model = { ...preset.model, vocabSize: preset.vocabSize };
  const names = { tokenizer, dataset: "0".repeat(64), weights };
  const state = { format: 2, model, round, tokens: 1, lrScale: 1, outer: null, inner: [], ...names };
  return { model: await putJson(ARTIFACTS, "checkpoint", state), tokenizer, run: "r", valLoss: round };
}

test("a model is published only if its objects are stored; then it answers", async () => {
  const model = await storedModel(1);
  const missing = await call("POST", "/models", { ...model, tokenizer: "f".repeat(64) });
  expect(missing).toMatchObject({ status: 404, body: { error: expect.stringContaining("expected an object, found none") } });
  expect(await call("POST", "/models", model)).toEqual({ status: 200, body: { active: model.model } });
  await call("POST", "/models", await storedModel(2));
  await call("POST", `/models/${model.model}/activate`);
});

test("objects, votes, models and the active model are restored in another deployment", async () => {
  const source = addDeployment("tiffin");
  source.exec(
    "INSERT INTO responses (id, text, response, response_hash, model, created_at) VALUES ('a', 'it''s', 'yes', 'h', 'm', '2026')",
  );
  source.exec("INSERT INTO ratings VALUES (1, 'a', 'voter', 'network', 'score', 0.5, NULL, NULL, NULL, '2026', NULL)");
  for (const [index, key] of OBJECTS.entries()) cloud.buckets.get("tiffin-artifacts")!.set(key, Buffer.alloc(10, index));
  const backup = await run("backup", "--to", folder);
  expect(backup).toMatchObject({ status: 0, stderr: "" });
  expect(backup.stdout).toContain("artifacts: copied 3 objects, 0 were there");
  // The next backup copies only new objects.
  cloud.buckets.get("tiffin-artifacts")!.set("new", Buffer.from("n"));
  expect((await run("backup", "--to", folder)).stdout).toContain("artifacts: copied 1 objects, 3 were there");

  const target = addDeployment("tiffin-staging");
  const published = (await call("GET", "/models")).body;
  await call("POST", "/models", await storedModel(2));
  expect((await call("GET", "/models")).body).not.toEqual(published);
  const restore = () => run("restore", "--from", folder, "--env", "staging");
  expect(await restore()).toMatchObject({ status: 0, stderr: "" });
  expect(cloud.buckets.get("tiffin-staging-artifacts")).toEqual(cloud.buckets.get("tiffin-artifacts"));
  for (const table of ["responses", "ratings"]) {
    const rows = (database: DatabaseSync) => database.prepare(`SELECT * FROM ${table}`).all();
    expect(rows(source)).toHaveLength(1);
    expect(rows(target)).toEqual(rows(source));
  }
  expect((await call("GET", "/models")).body).toEqual(published);
  expect(await restore()).toMatchObject({ status: 1, stderr: expect.stringContaining("expected an empty table") });
});

test("a database with other migrations is refused, and nothing is written", async () => {
  addDeployment("tiffin-new").exec("INSERT INTO d1_migrations (name) VALUES ('9999_later.sql')");
  const { status, stderr } = await run("restore", "--from", folder, "--env", "new");
  expect(status).toBe(1);
  expect(stderr).toMatch(/expected the migrations .*, got .*9999_later.sql/);
  expect(cloud.buckets.get("tiffin-new-artifacts")!.size).toBe(0);
});

test("an unfinished backup is refused", async () => {
  rmSync(join(folder, "backup.json"));
  const { status, stderr } = await run("restore", "--from", folder, "--env", "staging");
  expect(status).toBe(1);
  expect(stderr).toContain("found no backup.json");
});
