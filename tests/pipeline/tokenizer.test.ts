import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { canonicalJson, datasetSchema, originKey, originSchema, type Dataset } from "../../shared/artifacts.ts";
import { getJson, getObject, putJson, putObject, sha256 } from "../../shared/store.ts";
import { decodeTokenShard } from "../../shared/tokenizer/token-shard.ts";
import { parseTokenizer } from "../../shared/tokenizer/json-reader.ts";
import { harness } from "./harness.ts";

interface Steps {
  mergeStep(input: object): Promise<{ state: string; done: boolean; tokenizer: string | null; usage: object }>;
  encodeStep(input: object): Promise<{ state: string; done: boolean; dataset: string | null }>;
}

const server = harness("tokenizer");
const texts = Array.from({ length: 30 }, (_, index) => `Document ${index}: the cat sat on the mat, naïve 日本 😀.\n`.repeat(20 + index));
let env: { CORPUS: R2Bucket; ARTIFACTS: R2Bucket };
let worker: Steps;
let snapshot: string;

beforeAll(async () => {
  await server.listen();
  const handle = server.getWorker("tiffin-tokenizer");
  env = (await handle.getEnv()) as unknown as typeof env;
  worker = (await handle.getExport()) as unknown as Steps;
  snapshot = await storeSnapshot([texts.slice(0, 15), texts.slice(15)]);
});
afterAll(() => server.close());

/** Stores texts as a snapshot with these segments. */
async function storeSnapshot(parts: string[][]): Promise<string> {
  const segments = [];
  for (const part of parts) {
    const lines = [];
    for (const text of part) {
      const hash = await sha256(new TextEncoder().encode(text));
      const record = {
        id: hash,
        url: "https://a.test/",
        text,
        title: "",
        lang: "en",
        licence: "",
        source: "s",
        fetchedAt: "2026-11-23T10:00:00.000Z",
        sha256: hash,
      };
      lines.push(`${JSON.stringify(record)}\n`);
    }
    const hash = await putObject(env.CORPUS, "segment", new Uint8Array(gzipSync(lines.join(""))));
    segments.push({ hash, documents: part.length, bytes: part.join("").length });
  }
  return putJson(env.CORPUS, "snapshot", { format: 1, segments });
}

/** Trains a tokenizer on a snapshot and returns the last step's outcome. */
async function train(on: string): ReturnType<Steps["mergeStep"]> {
  let step = await worker.mergeStep({ snapshot: on, vocabSize: 300, state: null });
  while (!step.done) step = await worker.mergeStep({ snapshot: on, vocabSize: 300, state: step.state });
  return step;
}

async function grow(): Promise<{ hash: string; dataset: Dataset }> {
  const { tokenizer } = await train(snapshot);
  let encoded = await worker.encodeStep({ snapshot, tokenizer, state: null });
  while (!encoded.done) encoded = await worker.encodeStep({ snapshot, tokenizer, state: encoded.state });
  return { hash: encoded.dataset!, dataset: await getJson(env.ARTIFACTS, "dataset", encoded.dataset!, datasetSchema) };
}

/**
 * The name of the error that a step throws. The promise is awaited here, because `expect` cannot inspect an RPC promise, which
 * is a proxy.
 */
async function outcome(input: object): Promise<string> {
  try {
    await worker.mergeStep(input);
    return "no error";
  } catch (error) {
    return (error as Error).name;
  }
}

function utf8Length(parts: string[]): number {
  return new TextEncoder().encode(parts.join("")).length;
}

test("makes shards that decode to the snapshot's documents, with the same hash each time", async () => {
  const { hash, dataset } = await grow();
  expect((await grow()).hash).toBe(hash);
  const tokenizer = parseTokenizer(new Uint8Array(await getObject(env.ARTIFACTS, "tokenizer", dataset.tokenizer!)));
  const found: Record<"train" | "val", string[]> = { train: [], val: [] };
  for (const side of ["train", "val"] as const) {
    let ids: number[] = [];
    for (const shard of dataset[side]) {
      const tokens = decodeTokenShard(new Uint8Array(await getObject(env.ARTIFACTS, "token-shard", shard.hash)));
      expect(tokens.length).toBe(shard.tokens);
      for (const id of tokens) {
        if (id !== tokenizer.endOfText) ids.push(id);
        else {
          found[side].push(tokenizer.decode(ids));
          ids = [];
        }
      }
    }
    expect(ids).toEqual([]);
  }
  expect([...found.train, ...found.val].toSorted()).toEqual(texts.toSorted());
  expect(dataset.valBytes).toBe(utf8Length(found.val));
  expect(dataset.valBytes).toBeGreaterThanOrEqual(0.02 * utf8Length(texts));
  expect(dataset.documents).toBe(texts.length);
  expect(dataset.vocabSize).toBe(300);
  expect(dataset.endTokens).toEqual([tokenizer.endOfText]);
  expect(dataset.unigramLoss).toBeLessThan(Math.log(300));
  expect(dataset.trigramLoss).toBeLessThan(dataset.unigramLoss!);
  const origin = originSchema.parse(await (await env.ARTIFACTS.get(originKey(hash)))!.json());
  const day = "2026-11-23";
  const counts = { documents: texts.length, bytes: utf8Length(texts), firstRetrieved: day, lastRetrieved: day };
  expect(origin).toEqual({ format: 1, snapshot, superseded: 0, sources: [{ site: "a.test", licence: "", lang: "en", ...counts }] });
});

test("reaches the same state when a step is repeated after a crash", async () => {
  const hashes: string[] = [];
  for (let state: string | null = null, done = false; !done;) {
    const input: object = { snapshot, vocabSize: 300, state };
    const [step, again] = [await worker.mergeStep(input), await worker.mergeStep(input)];
    // Only the time that a step takes differs.
    expect(again).toEqual({ ...step, usage: { ...step.usage, cpuMilliseconds: expect.any(Number) } });
    ({ state, done } = step);
    hashes.push(step.state);
  }
  expect(new Set(hashes).size).toBeGreaterThan(1);
});

/** Objects that an earlier version wrote. A key is the hash of its canonical JSON. */
function stored(name: string): unknown {
  return JSON.parse(readFileSync(join(import.meta.dirname, "../unit/tokenizer/stored", name), "utf8"));
}

test("finishes a training that an earlier version began, and gives that version's tokenizer", async () => {
  // The words of this snapshot's first segment, counted by the earlier version.
  let step = {
    state: await putJson(env.ARTIFACTS, "tokenizer-state", stored("merge-state-2.json")),
    done: false,
    tokenizer: "" as string | null,
    usage: {},
  };
  while (!step.done) step = await worker.mergeStep({ snapshot, vocabSize: 300, state: step.state });
  expect(step.tokenizer).toBe(await sha256(new TextEncoder().encode(canonicalJson(stored("tokenizer-1.json")))));
});

test("ignores a word as long as a page, but counts the lines under table headings", async () => {
  const rule = "═".repeat(200);
  const endless = "zq".repeat(100_000);
  // The last state contains every counted word.
  const ruled = await train(await storeSnapshot([[...texts, rule]]));
  expect((await train(await storeSnapshot([[...texts, rule, endless]]))).state).toBe(ruled.state);
  expect((await train(await storeSnapshot([texts]))).state).not.toBe(ruled.state);
});

test("throws a named error for a bad request", async () => {
  expect(await outcome({ snapshot: "0".repeat(64), vocabSize: 300, state: null })).toBe("NotFound");
  expect(await outcome({ snapshot, vocabSize: 100, state: null })).toBe("InvalidInput");
});
