/** Several reductions and uploads at the same time in one isolate of the coordinator. */
import { beforeAll, expect, test } from "vitest";
import { MapBucket } from "../../../scripts/simulation/map-bucket.ts";
import { PRESETS, supervisionConfigSchema } from "../../../shared/config.ts";
import { MAX_ISOLATE_BYTES } from "../../../shared/limits.ts";
import { startBackend } from "../../../shared/tensor/engine/backend.ts";
import type { RunSpec } from "../../../shared/training/protocol/run-state.ts";
import { reserveModel, whileReserved } from "../../../workers/coordinator/isolate-memory.ts";
import { receivePart } from "../../../workers/coordinator/parts.ts";
import { firstCheckpoint } from "../../../workers/coordinator/reduce.ts";

beforeAll(startBackend);

const MIB = 1024 * 1024;
const NONE = "0".repeat(64);

/** A run whose model has several parts. */
function specOf(run: string): RunSpec {
  const model = { ...PRESETS["tiny"]!.model, vocabSize: 150_000, width: 4, mlpWidth: 4, layers: 1, heads: 1, kvHeads: 1, headWidth: 4 };
  const training = { ...PRESETS["tiny"]!.training, seed: 1, tokens: 1e6 };
  const named = { run, preset: "tiny", dataset: NONE, tokenizer: NONE, model, training, rounds: 10 };
  return { ...named, supervision: supervisionConfigSchema.parse({}) };
}

test("runs whose objects share an isolate reduce one after the other", async () => {
  const bucket = new MapBucket();
  await Promise.all(["a", "b", "c"].map((run) => firstCheckpoint(bucket.asBucket(), specOf(run))));
  const runs = bucket.asked.map((key) => key.split("/")[1]);
  const changes = runs.filter((run, index) => run !== runs[index - 1]);
  expect(runs.length).toBeGreaterThan(2 * changes.length);
  expect(changes).toHaveLength(3);
});

/** An upload that arrives in pieces. It adds itself to `arriving` when its first piece is read. */
function uploadOf(bytes: number, arriving: Set<object>) {
  let left = bytes;
  const stream = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        arriving.add(stream);
        const size = Math.min(left, MIB);
        left -= size;
        controller.enqueue(new Uint8Array(size).fill(left % 251));
        if (left === 0) controller.close();
      },
    },
    // The stream produces a piece only when it is read.
    { highWaterMark: 0 },
  );
  return stream;
}

test("many large uploads at once hold no more than an isolate can spare", async () => {
  const bucket = new MapBucket();
  const arriving = new Set<object>();
  const size = 12 * MIB;
  let most = 0;
  const uploads = Array.from({ length: 6 }, async (_, index) => {
    const stream = uploadOf(size + index, arriving);
    const hash = await receivePart(bucket.asBucket(), "r", stream, size + index);
    most = Math.max(most, arriving.size);
    arriving.delete(stream);
    return hash;
  });
  expect(new Set(await Promise.all(uploads)).size).toBe(6);
  // Each upload is held twice: once as it arrives and once as it is written to storage.
  expect(2 * size * most).toBeLessThan(MAX_ISOLATE_BYTES / 2);
});

/** The chunks of an export. */
async function* chunks(fails = false) {
  yield* [1, 2];
  if (fails) throw new Error("storage fails");
  yield 3;
}

test("exports take their share of the same memory, and give it back when they end, fail or lose their reader", async () => {
  const { model, vocabSize } = PRESETS["base"]!;
  const open = () => reserveModel("an export", { ...model, vocabSize });
  const most = [];
  for (let held = 0; held < 3; held++) most.push(await open());
  // 38 MiB for transfers have room for three exports of base (12 MiB each), not for four.
  let isFourth = false;
  const fourth = open().then((memory) => {
    isFourth = true;
    return memory;
  });
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(isFourth).toBe(false);
  const read: number[] = [];
  for await (const chunk of whileReserved(most[0]!, chunks())) read.push(chunk);
  expect(read).toEqual([1, 2, 3]);
  const after = [await fourth, ...most.slice(1)];
  const failing = whileReserved(after[0]!, chunks(true));
  await expect(Promise.all([failing.next(), failing.next(), failing.next()])).rejects.toThrow("storage fails");
  for await (const _ of whileReserved(after[1]!, chunks())) break;
  after[2]![Symbol.dispose]();
  for (const each of await Promise.all([open(), open(), open()])) each[Symbol.dispose]();
});

test("an upload that is longer than it said is refused", async () => {
  const bucket = new MapBucket().asBucket();
  await expect(receivePart(bucket, "r", uploadOf(2 * MIB, new Set()), MIB)).rejects.toThrow(
    `part: expected at most ${MIB} bytes, got more`,
  );
  await expect(receivePart(bucket, "r", uploadOf(MIB, new Set()), 65 * MIB)).rejects.toThrow(`part: expected at most ${64 * MIB} bytes`);
  await expect(receivePart(bucket, "r", uploadOf(MIB, new Set()), Number.NaN)).rejects.toThrow("part: expected at most");
});
