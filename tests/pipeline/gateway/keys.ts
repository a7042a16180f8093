/** Keys of clients: they open the answering routes, have quotas, and are kept only as hashes. */
import OpenAI from "openai";
import { expect, test } from "vitest";
import type { CreatedKey, Key } from "../../../shared/contracts/keys.ts";
import { OPERATOR, type openDoor } from "./door.ts";

const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

/** At the end there are keys, so only their clients and the operator get answers. */
export function testKeys(door: () => Awaited<ReturnType<typeof openDoor>>): void {
  const ask = async (headers: Record<string, string>, path = "/v1/completions") =>
    (await door().send("POST", path, { model: "tiffin", prompt: "Hello", max_tokens: 3, seed: 7 }, headers)).status;
  const made = async (body: object): Promise<CreatedKey> => {
    const response = await door().send("POST", "/keys", body, OPERATOR);
    expect(response.status).toBe(200);
    return (await response.json()) as CreatedKey;
  };
  const listed = async (): Promise<Key[]> => (await (await door().send("GET", "/keys", undefined, OPERATOR)).json()) as Key[];

  test("without any key every token is accepted; with one, only keys and the operator are", async () => {
    expect(await Promise.all([ask({}), ask(bearer("anything"))])).toEqual([200, 200]);
    const { key, id } = await made({ name: "ada" });
    await expect.poll(() => ask({}), { timeout: 30_000, interval: 500 }).toBe(401);
    const refused = await door().send("POST", "/v1/completions", { model: "tiffin", prompt: "a" }, bearer(`${key}x`));
    expect([refused.status, refused.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
    expect(await refused.json()).toMatchObject({ error: { type: "authentication_error" } });
    for (const path of ["/generate", "/api/generate", "/v1/embeddings", "/trace", "/predict", "/classify", "/tokenize"])
      expect([path, (await door().send("POST", path, {}, bearer("wrong"))).status]).toEqual([path, 401]);
    expect(await ask(OPERATOR)).toBe(200);
    const client = new OpenAI({ baseURL: new URL("/v1", door().url).href, apiKey: key, maxRetries: 0 });
    const { usage } = await client.completions.create({ model: "tiffin", prompt: "Hello", max_tokens: 3 });
    await expect.poll(async () => (await listed())[0]?.today, { timeout: 30_000 }).toEqual({ requests: 1, tokens: usage!.total_tokens });
    // A key is not the operator's token.
    expect((await door().send("GET", "/keys", undefined, bearer(key))).status).toBe(401);
    expect(JSON.stringify(await listed())).not.toContain(key);
    expect((await door().send("DELETE", `/keys/${id}`, undefined, OPERATOR)).status).toBe(200);
    expect((await door().send("DELETE", `/keys/${id}`, undefined, OPERATOR)).status).toBe(404);
    await expect.poll(() => ask({}), { timeout: 30_000, interval: 500 }).toBe(200);
  });

  test("a key's quotas of requests and tokens end its day", async () => {
    const few = await made({ name: "few", requestsPerDay: 2 });
    const short = await made({ name: "short", tokensPerDay: 6 });
    await expect.poll(() => ask({}), { timeout: 30_000, interval: 500 }).toBe(401);
    const statuses = [await ask(bearer(few.key)), await ask(bearer(few.key)), await ask(bearer(few.key))];
    expect(statuses).toEqual([200, 200, 429]);
    const refused = await door().send("POST", "/generate", { text: "a" }, bearer(few.key));
    expect([refused.status, Number(refused.headers.get("retry-after"))]).toEqual([429, expect.any(Number)]);
    expect(await refused.json()).toEqual({ error: expect.stringContaining("2 requests a day") });
    expect(await ask(bearer(short.key))).toBe(200);
    await expect.poll(() => ask(bearer(short.key)), { timeout: 30_000 }).toBe(429);
    const today = (await listed()).map(({ name, today: { requests } }) => [name, requests]);
    expect(today).toContainEqual(["few", 2]);
  });
}
