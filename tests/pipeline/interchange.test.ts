/** A published model is downloaded through the real gateway: whole, in ranges, and by other projects' clients. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gguf } from "@huggingface/gguf";
import { downloadFile, listFiles, modelInfo, snapshotDownload } from "@huggingface/hub";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { areSame, CONFIG, folderOf, randomModel, tokenizerJson } from "../../scripts/bench/support/interchange/random-model.ts";
import { Client } from "../../scripts/local/client.ts";
import { isDone, pollRun, untilActive } from "../../scripts/local/poll-run.ts";
import { ROOT } from "../../scripts/local/workers.ts";
import { startedRunSchema } from "../../shared/contracts/runs.ts";
import { sourceOfBytes } from "../../shared/interchange/byte-source.ts";
import { descriptionFiles } from "../../shared/interchange/hugging-face.ts";
import { importFolder, importGguf, partsOfImport, type ImportedModel } from "../../shared/interchange/model-import.ts";
import { safetensorsFiles } from "../../shared/interchange/safetensors-writer.ts";
import { decodeSafetensors } from "../../shared/model/formats/safetensors.ts";
import { weightShapes } from "../../shared/model/weights.ts";
import { putJson, putObject, sha256 } from "../../shared/store.ts";
import { openDoor, OPERATOR } from "./gateway/door.ts";
import { OPERATOR_TOKEN } from "./harness.ts";

/** Three parts, so a stream crosses from one part to the next. */
const MODEL = randomModel({ width: 128, mlpWidth: 512, layers: 5, context: 64, tiedEmbeddings: true });
const PRESENT = { dataset: "0".repeat(64), round: 0, tokens: 0, lrScale: 1, outer: null, inner: [] };

let door: Awaited<ReturnType<typeof openDoor>>;
let hash = "";
let name = "";
const folder = mkdtempSync(join(tmpdir(), "tiffin-interchange-"));

beforeAll(async () => {
  door = await openDoor();
  const { ARTIFACTS, REGISTRY } = await door.server.getWorker<CoordinatorEnv>("tiffin-coordinator").getEnv();
  const tokenizer = await putJson(ARTIFACTS, "tokenizer", tokenizerJson());
  const weights: string[] = [];
  for await (const part of partsOfImport({ config: MODEL.config, read: (parameter) => MODEL.parameters.read(parameter) }))
    weights.push(await putObject(ARTIFACTS, "part", part));
  if (weights.length < 3) throw new Error(`expected a model of at least 3 parts, got ${weights.length}`);
  hash = await putJson(ARTIFACTS, "checkpoint", { format: 2, model: MODEL.config, tokenizer, weights, ...PRESENT });
  name = `tiffin-${hash.slice(0, 12)}`;
  await REGISTRY.getByName("registry").publish({ model: hash, tokenizer, run: "r", valLoss: 3.5, kind: "language" });
}, 120_000);
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await door.close();
});

const get = (path: string, headers: Record<string, string> = {}, method = "GET") =>
  door.send(method, path, undefined, { ...OPERATOR, ...headers });
const bytesOf = async (path: string) => new Uint8Array(await (await get(path)).arrayBuffer());

async function valuesOf(model: ImportedModel): Promise<Map<string, Float32Array>> {
  const values = new Map<string, Float32Array>();
  for (const [parameter] of weightShapes(model.config)) values.set(parameter, await model.read(parameter));
  return values;
}

describe("GET /models/:id/export", () => {
  test("gives a tar of a folder that imports bit for bit", async () => {
    const response = await get(`/models/${hash}/export?format=hf`);
    expect(response.headers.get("content-disposition")).toBe(`attachment; filename="${name}-hf.tar"`);
    const archive = new Uint8Array(await response.arrayBuffer());
    expect(response.headers.get("content-length")).toBe(String(archive.byteLength));
    const files = new Map<string, Uint8Array>();
    const text = (at: number, length: number) => new TextDecoder().decode(archive.subarray(at, at + length)).replace(/\0.*$/s, "");
    for (let at = 0; archive[at] !== 0;) {
      const size = Number.parseInt(text(at + 124, 12), 8);
      files.set(text(at, 100), archive.subarray(at + 512, at + 512 + size));
      at += 512 + Math.ceil(size / 512) * 512;
    }
    const imported = await importFolder(async (path) => {
      const bytes = files.get(`${name}/${path}`);
      return bytes === undefined ? null : sourceOfBytes(path, bytes);
    });
    expect(imported.config).toEqual(MODEL.config);
    expect(areSame(await valuesOf(imported), MODEL.values)).toBe(true);
    const card = new TextDecoder().decode(files.get(`${name}/README.md`)!);
    for (const fact of [hash, "3.500", "license: unknown"]) expect(card).toContain(fact);
  });

  test("gives a GGUF file by the model's name and by the word active", async () => {
    for (const id of [name, "active"]) {
      const imported = await importGguf(sourceOfBytes("model.gguf", await bytesOf(`/models/${id}/export?format=gguf&type=f32`)));
      expect(areSame(await valuesOf(imported), MODEL.values)).toBe(true);
    }
  });

  test.each([
    ["/models/nothing/export?format=hf", 404, "model: expected the hash or the name of a published model"],
    ["/models/active/export", 400, "format"],
    ["/models/active/export?format=exe", 400, "format"],
    ["/models/active/export?format=hf&type=q8_0", 422, "type: expected one of F32, BF16 for hf, got q8_0"],
    ["/models/active/export?format=hf&other=1", 400, "other"],
  ])("%s is refused with %i", async (path, status, message) => {
    const response = await get(path);
    expect(response.status).toBe(status);
    expect(((await response.json()) as { error: string }).error).toContain(message);
  });

  test("is open only to the operator by default, like the hub", async () => {
    for (const path of [
      "/models/active/export?format=gguf",
      "/hub/tiffin/active/resolve/main/config.json",
      "/hub/api/models/tiffin/active",
    ])
      expect((await door.send("GET", path)).status).toBe(401);
  });
});

describe("the hub", () => {
  const file = "/hub/tiffin/active/resolve/main/model.safetensors";

  test("answers a range with the bytes of the range", async () => {
    const whole = await bytesOf(file);
    const size = whole.byteLength;
    for (const [range, start, end] of [
      ["bytes=0-0", 0, 1],
      ["bytes=2097000-2098000", 2_097_000, 2_098_001],
      [`bytes=${size - 100_000}-`, size - 100_000, size],
      ["bytes=-7", size - 7, size],
      [`bytes=10-${size * 2}`, 10, size],
    ] as const) {
      const response = await get(file, { range });
      expect([response.status, response.headers.get("content-range")]).toEqual([206, `bytes ${start}-${end - 1}/${size}`]);
      expect(Buffer.from(await response.arrayBuffer()).equals(whole.slice(start, end))).toBe(true);
    }
    const beyond = await get(file, { range: `bytes=${size}-` });
    expect([beyond.status, beyond.headers.get("content-range")]).toEqual([416, `bytes */${size}`]);
  });

  test("answers HEAD with size, commit and tag, and a known tag with 304", async () => {
    const head = await get(file, {}, "HEAD");
    const etag = head.headers.get("etag")!;
    expect(etag).toMatch(/^"[0-9a-f]{40}"$/);
    expect(head.headers.get("x-repo-commit")).toBe(hash.slice(0, 40));
    expect(head.headers.get("content-length")).toBe(String((await bytesOf(file)).byteLength));
    const again = await get(file, { "if-none-match": etag });
    expect([again.status, await again.text()]).toEqual([304, ""]);
    const changed = await get(file, { "if-range": '"other"', range: "bytes=0-0" });
    expect(changed.status).toBe(200);
    await changed.body?.cancel();
  });

  test("lets pages of other sites read models", async () => {
    const preflight = await door.send("OPTIONS", file, undefined, {
      origin: "https://example.org",
      "access-control-request-method": "GET",
      "access-control-request-headers": "authorization,range",
    });
    expect([preflight.status, preflight.headers.get("access-control-allow-origin")]).toEqual([204, "*"]);
    expect(preflight.headers.get("access-control-allow-headers")?.toLowerCase()).toContain("range");
    const read = await get(file, { origin: "https://example.org", range: "bytes=0-0" });
    expect(read.headers.get("access-control-allow-origin")).toBe("*");
    expect(read.headers.get("access-control-expose-headers")).toContain("X-Repo-Commit");
  });

  test.each([
    ["/hub/tiffin/active/resolve/main/other.bin", "EntryNotFound", "file: expected one of README.md"],
    ["/hub/tiffin/active/resolve/v2/config.json", "RevisionNotFound", "revision: expected main, HEAD or"],
    ["/hub/other/active/resolve/main/config.json", null, "owner: expected tiffin, got other"],
    ["/hub/tiffin/nothing/resolve/main/config.json", null, "model: expected the hash or the name"],
    ["/hub/api/models/tiffin/active/tree/v2", "RevisionNotFound", "revision"],
    ["/hub/datasets", null, "no such route"],
  ])("%s is not found", async (path, code, message) => {
    const response = await get(path);
    expect([response.status, response.headers.get("x-error-code")]).toEqual([404, code]);
    expect(((await response.json()) as { error: string }).error).toContain(message);
  });
});

describe("@huggingface/hub", () => {
  // The client accepts only tokens that begin with hf_, so the operator's token is set in the header directly.
  const asOperator = ((input: string | URL | Request, init?: RequestInit) => {
    const headers = Object.fromEntries(new Headers(init?.headers));
    return door.server.fetch(
      new URL(input instanceof Request ? input.url : input).pathname + new URL(input instanceof Request ? input.url : input).search,
      {
        ...init,
        headers: { ...headers, ...OPERATOR },
      } as never,
    );
  }) as unknown as typeof fetch;
  const at = () => ({ hubUrl: "http://tiffin.test/hub", fetch: asOperator, repo: `tiffin/${name}` });

  test("lists the files with their sizes", async () => {
    const files = [];
    for await (const entry of listFiles({ ...at(), recursive: true })) files.push(entry);
    const paths = files.map(({ path }) => path);
    for (const path of [
      "README.md",
      "LICENSE",
      "provenance.json",
      "config.json",
      "generation_config.json",
      "onnx/model.onnx",
      "onnx/model_quantized.onnx",
      "tokenizer.json",
      "tokenizer_config.json",
      "model.safetensors",
      `${name}-Q8_0.gguf`,
    ])
      expect(paths).toContain(path);
    for (const { path, size } of files)
      expect([path, size]).toEqual([path, (await bytesOf(`/hub/tiffin/${name}/resolve/main/${path}`)).byteLength]);
    const info = await modelInfo({ ...at(), name: `tiffin/${name}`, additionalFields: ["sha"] });
    expect([info.name, info.sha, info.private, info.task]).toEqual([`tiffin/${name}`, hash.slice(0, 40), true, "text-generation"]);
  });

  test("downloads a file that @huggingface/gguf parses", async () => {
    const blob = await downloadFile({ ...at(), path: `${name}-Q8_0.gguf` });
    const path = join(folder, "model.gguf");
    writeFileSync(path, new Uint8Array(await blob!.arrayBuffer()));
    const { tensorInfos, metadata } = await gguf(path, { allowLocalFile: true });
    expect([tensorInfos.length, (metadata as Record<string, unknown>)["tiffin.checkpoint"]]).toEqual([
      weightShapes(MODEL.config).length,
      hash,
    ]);
  });

  test("downloads the whole folder, file by file", async () => {
    const path = await snapshotDownload({ ...at(), cacheDir: join(folder, "cache") });
    const config = JSON.parse(readFileSync(join(path, "config.json"), "utf8")) as Record<string, unknown>;
    expect([config["vocab_size"], config["tie_word_embeddings"]]).toEqual([CONFIG.vocabSize, true]);
    const tokenizer = readFileSync(join(path, "tokenizer.json"));
    expect(await sha256(tokenizer)).toBe(
      (await get("/models").then((response) => response.json() as Promise<{ tokenizer: string }[]>))[0]!.tokenizer,
    );
  });
});

const put = (kind: string, of: string, bytes: Uint8Array, headers: Record<string, string> = OPERATOR) =>
  door.server.fetch(`/imports/${kind}/${of}`, {
    method: "PUT",
    headers: { "content-type": "application/octet-stream", ...headers },
    body: bytes as Uint8Array<ArrayBuffer>,
  });
const publish = (body: object) => door.send("POST", "/imports", body, OPERATOR);
const errorOf = async (response: { json(): Promise<unknown> }) => ((await response.json()) as { error: string }).error;

/** Uploads a model and returns the request that publishes it. */
async function stored(model: Pick<typeof MODEL, "config" | "parameters"> = MODEL) {
  const tokenizer = new TextEncoder().encode(JSON.stringify(tokenizerJson()));
  const hashes = { tokenizer: await sha256(tokenizer), weights: [] as string[] };
  await put("tokenizers", hashes.tokenizer, tokenizer);
  for await (const part of partsOfImport({ config: model.config, read: (parameter) => model.parameters.read(parameter) })) {
    const of = await sha256(part);
    await put("parts", of, part);
    hashes.weights.push(of);
  }
  return { model: model.config, ...hashes };
}

describe("POST /imports", () => {
  test("publishes a model that answers and exports bit for bit as it was imported", async () => {
    const own = randomModel({ context: 64 }, "F32", 9);
    const response = await publish({ ...(await stored(own)), endTokens: [2, 0], chatTemplate: "{{ messages }}", activate: true });
    expect(response.status).toBe(200);
    const { model } = (await response.json()) as { model: string };
    const answer = await door.send("POST", "/generate", { text: "the", seed: 1, maxTokens: 4 }, OPERATOR);
    expect([answer.status, ((await answer.json()) as { model: string }).model]).toEqual([200, model]);
    // Two rows of the model have no token. An answer may contain them.
    const text = await door.send("POST", "/detokenize", { tokens: [16 + 65, 276, 277, 16 + 66] }, OPERATOR);
    expect([text.status, await text.json()]).toEqual([200, { model, text: "AB" }]);
    const imported = await importGguf(sourceOfBytes("model.gguf", await bytesOf(`/models/${model}/export?format=gguf&type=F32`)));
    expect([imported.config, imported.endTokens, imported.chatTemplate]).toEqual([own.config, [2, 0], "{{ messages }}"]);
    expect(areSame(await valuesOf(imported), own.values)).toBe(true);
    const card = new TextDecoder().decode(await bytesOf(`/hub/tiffin/${model}/resolve/main/README.md`));
    expect(card).toContain("brought in from elsewhere");
  });

  test("trains a sharded, tied model in bfloat16 for 20 rounds, and exports the result", async () => {
    const own = randomModel({ context: 32, tiedEmbeddings: true }, "BF16", 4);
    const shards = safetensorsFiles(own, "BF16", 40_000);
    expect(shards.length).toBeGreaterThan(3);
    const { config, read } = await importFolder(await folderOf([...descriptionFiles(own, "BF16"), ...shards]));
    const published = await publish({ ...(await stored({ config, parameters: { read } })), activate: true });
    const { model: from } = (await published.json()) as { model: string };
    // The generator soon notices that another model is active.
    await vi.waitFor(async () => {
      const answer = await door.send("POST", "/generate", { text: "the", seed: 1, maxTokens: 4 }, OPERATOR);
      expect([answer.status, ((await answer.json()) as { model: string }).model]).toEqual([200, from]);
    }, 300_000);

    const upload = { ...OPERATOR, "content-type": "application/octet-stream" };
    for (const file of ["README.md", "shared/tokenizer/README.md"]) {
      const text = readFileSync(join(ROOT, file), "utf8");
      expect((await door.send("PUT", `/uploads/notes/${dirname(file).replaceAll(/\W/g, "")}a.md`, text, upload)).status).toBe(200);
    }
    const rounds = 20;
    const request = { from, preset: "tiny", batch: 2, shards: 1, steps: 1, tokens: rounds * 2 * 32 };
    const client = new Client(door.url.origin, OPERATOR_TOKEN);
    const { run } = await client.call("POST", "/runs", startedRunSchema, request);
    const status = await pollRun(client, run, isDone, { pollMs: 100 });
    await untilActive(client, status.checkpoint, { ...request, name: run }, 100);
    expect([status.round, status.losses.length]).toEqual([rounds, rounds]);

    const exported = await bytesOf(`/models/${status.checkpoint}/export?format=gguf&type=F32`);
    const trained = await importGguf(sourceOfBytes("model.gguf", exported));
    expect(trained.config).toEqual(own.config);
    const values = await valuesOf(trained);
    expect(areSame(values, own.values)).toBe(false);
    const weights = decodeSafetensors(await bytesOf(`/hub/tiffin/${status.checkpoint}/resolve/main/model.safetensors`));
    expect(areSame(new Map(weights.map(({ name: parameter, data }) => [parameter, data])), values)).toBe(true);
    const card = new TextDecoder().decode(await bytesOf(`/hub/tiffin/${status.checkpoint}/resolve/main/README.md`));
    for (const fact of ["| rounds | 20 |", "| upload-notes | unknown |", status.checkpoint!]) expect(card).toContain(fact);
  });

  test("stores no object under a wrong hash", async () => {
    const bytes = Uint8Array.of(1, 2, 3);
    const response = await put("parts", "0".repeat(64), bytes);
    expect([response.status, await errorOf(response)]).toEqual([422, expect.stringContaining("part: expected 3 bytes with hash 000")]);
    expect((await put("parts", await sha256(bytes), bytes, {})).status).toBe(401);
    expect((await put("parts", "x", bytes)).status).toBe(400);
  });

  test("checks everything that the request states", async () => {
    const good = await stored();
    const [first, ...rest] = good.weights;
    const swapped = [rest[0]!, first!, ...rest.slice(1)];
    for (const [change, message] of [
      [{ weights: rest }, "weights: expected 3 parts, got 2"],
      [{ weights: swapped }, "weights.0: expected"],
      [{ weights: [good.tokenizer, ...rest] }, "weights.0: part"],
      [{ tokenizer: first }, "tokenizer: tokenizer"],
      [{ endTokens: [999] }, "endTokens: expected ids below 278, got 999"],
      [{ model: { ...good.model, mlpWidth: 300 } }, "weights"],
      [{ model: { ...good.model, vocabSize: 200 } }, "tokenizer: expected ids below 200"],
      [
        { model: { ...good.model, layers: 60, width: 2048 } },
        "config: model: memory: expected a model that fits into an isolate of 128 MiB",
      ],
    ] as const) {
      const response = await publish({ ...good, ...change });
      expect([response.status, await errorOf(response)]).toEqual([422, expect.stringContaining(message)]);
    }
    const nan = randomModel({ context: 32 }, "F32", 3);
    nan.values.get("model.norm.weight")![0] = Number.POSITIVE_INFINITY;
    const response = await publish(await stored(nan));
    expect([response.status, await errorOf(response)]).toEqual([422, expect.stringContaining("model.norm.weight: expected finite values")]);
  });
});
