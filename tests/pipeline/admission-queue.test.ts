/** The generator's admission queue in workerd, where an invocation ends when its client leaves. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { fixture, harnessOf } from "./harness.ts";

const server = harnessOf([fixture("admission-queue")]);
beforeAll(() => server.listen());
afterAll(() => server.close());

/** Longer than every time limit of the fixture's queue. */
const FOR_EVER_MS = 30_000;
const begun = async () => Number(await (await server.fetch("/begun")).text());
/** Far beyond what a slow machine needs. */
const PATIENCE = { timeout: 60_000, interval: 20 };

async function work(ms: number, signal: AbortSignal | null = null): Promise<string> {
  return (await server.fetch(`/${ms}`, { signal })).text();
}

test("a client that leaves, waiting or working, delays the others by at most its time limit", async () => {
  const client = new AbortController();
  const before = await begun();
  const left = Promise.allSettled([work(FOR_EVER_MS, client.signal), work(FOR_EVER_MS, client.signal)]);
  await expect.poll(begun, PATIENCE).toBe(before + 2);
  client.abort();
  expect((await left).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  await expect.poll(() => work(0), PATIENCE).toBe("done");
  expect(await Promise.all([work(0), work(0), work(0)])).toEqual(["done", "done", "done"]);
});

test("a full queue or a turn that does not come is refused as busy", async () => {
  const client = new AbortController();
  const before = await begun();
  const atWork = [work(FOR_EVER_MS, client.signal), work(FOR_EVER_MS, client.signal)].map((done) => done.catch(() => "left"));
  await expect.poll(begun, PATIENCE).toBe(before + 2);
  const third = work(0);
  await expect.poll(begun, PATIENCE).toBe(before + 3);
  expect(await work(0)).toMatch(/^Busy: expected at most 3 /);
  expect(await third).toMatch(/^Busy: expected a turn within 2 s/);
  client.abort();
  expect(await Promise.all(atWork)).toEqual(["left", "left"]);
});
