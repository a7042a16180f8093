/** Answers while the model's objects, the registry or the database are unavailable. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { objectKey } from "../../../shared/artifacts.ts";
import { openDoor, OPERATOR } from "./door.ts";

/** After this time the generator asks for the active model again. */
const RECHECK_MS = 1100;

let door: Awaited<ReturnType<typeof openDoor>>;
let model = "";
beforeAll(async () => {
  door = await openDoor();
  model = await door.publish(5);
}, 300_000);
afterAll(() => door.close());

async function ask(): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await door.send("POST", "/generate", { text: "a", seed: 7, maxTokens: 8 }, OPERATOR);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}
const logs = () =>
  door.server
    .getLogs()
    .map(({ message }) => message)
    .join("\n");

// This test is the first, because the isolate must not hold a model yet.
test("a model whose objects are missing does not answer until the objects are back", async () => {
  const { ARTIFACTS } = await door.server.getWorker<CoordinatorEnv>("tiffin-coordinator").getEnv();
  const key = objectKey("checkpoint", model);
  const bytes = await (await ARTIFACTS.get(key))!.arrayBuffer();
  await ARTIFACTS.delete(key);
  expect(await ask()).toEqual({ status: 503, body: { error: expect.stringContaining("activate another model") } });
  expect(logs()).toContain(`checkpoint ${model}: expected an object, found none; no other model is loaded`);
  await ARTIFACTS.put(key, bytes);
  expect(await ask()).toMatchObject({ status: 200, body: { model } });
});

test("the loaded model answers while the registry is down", async () => {
  const registry = await door.server.getWorker("tiffin-coordinator").getDurableObjectStorage("REGISTRY", { name: "registry" });
  await registry.exec("ALTER TABLE models RENAME TO models_away");
  await new Promise((resolve) => setTimeout(resolve, RECHECK_MS));
  expect(await ask()).toMatchObject({ status: 200, body: { model } });
  expect(logs()).toContain("no such table: models: SQLITE_ERROR; the loaded model keeps answering");
  await registry.exec("ALTER TABLE models_away RENAME TO models");
});

test("without tallies or a database the model answers, and the answer states that it cannot be scored", async () => {
  const { DB } = await door.server.getWorker<FeedbackEnv>("tiffin-feedback").getEnv();
  await DB.exec("ALTER TABLE tallies RENAME TO tallies_away");
  const { status, body } = await ask();
  expect([status, (body["candidates"] as { reward: number }[]).map(({ reward }) => reward)]).toEqual([200, [0, 0, 0]]);
  expect(body["canBeScored"]).toBe(true);
  await DB.exec("ALTER TABLE responses RENAME TO responses_away");
  const unkept = await ask();
  expect(unkept).toMatchObject({ status: 200, body: { model, response: body["response"], canBeScored: false } });
  expect(logs()).toContain("the answer cannot be scored: ");
  await DB.exec("ALTER TABLE responses_away RENAME TO responses");
  await DB.exec("ALTER TABLE tallies_away RENAME TO tallies");
  expect(unkept.body["receipt"]).toBe(null);
  expect(await ask()).toMatchObject({ status: 200, body: { canBeScored: true } });
});
