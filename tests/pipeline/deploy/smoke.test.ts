/** The smoke test after a deployment, on the real Workers: its checks, the objects that it leaves, and the faults that it finds. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { smoke } from "../../../scripts/cloudflare/smoke.ts";
import { fixture, harnessOfAll, OPERATOR_TOKEN } from "../harness.ts";

const TIMEOUT_MS = 600_000;
const lines: string[] = [];
const server = harnessOfAll([fixture("second-trainer")]);
let url: string;
let bucket: R2Bucket;

beforeAll(async () => {
  ({ url } = { url: (await server.listen()).url.origin });
  await server.getWorker("tiffin-feedback").applyD1Migrations("DB");
  bucket = (await server.getWorker<CoordinatorEnv>("tiffin-coordinator").getEnv()).ARTIFACTS;
});
afterAll(() => server.close());

const put = async ({ key, bytes }: { key: string; bytes: Uint8Array }) => void (await bucket.put(key, bytes));
const proof = (token: string | undefined) =>
  smoke({
    url,
    token,
    put,
    print: (line) => lines.push(line),
  });
const operator = async <T>(path: string) =>
  (await (await server.fetch(path, { headers: { authorization: `Bearer ${OPERATOR_TOKEN}` } })).json()) as T;

test(
  "in a new deployment the smoke test's model becomes active; a later smoke test does not change the active model",
  { timeout: TIMEOUT_MS },
  async () => {
    const working = new AbortController();
    // The second trainer works until the smoke test ends, like a second consumer of the queue.
    const trainer = (async () => {
      while (!working.signal.aborted) await server.getWorker("tiffin-trainer-2").fetch("http://trainer/work", { method: "POST" });
    })();
    await proof(OPERATOR_TOKEN);
    const first = await operator<{ model: string; active: boolean }[]>("/models");
    expect(first).toMatchObject([{ active: true }]);
    expect(await operator("/runs")).toEqual([]);
    await proof(OPERATOR_TOKEN);
    working.abort();
    await trainer;
    expect(await operator("/models")).toEqual(first);
    expect(await operator("/runs")).toEqual([]);
    expect(lines.filter((line) => line.includes("2 trainers computed a run"))).toHaveLength(2);
  },
);

test("a wrong token fails the smoke test; without a token the output says that the run is skipped", { timeout: TIMEOUT_MS }, async () => {
  await expect(proof("another-token")).rejects.toThrow("got 401");
  lines.length = 0;
  await proof(undefined);
  expect(lines.join("\n")).toMatch(/no training run without the operator's token[\s\S]*the vote counts/);
});
