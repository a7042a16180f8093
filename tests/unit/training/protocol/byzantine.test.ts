/** T8, T9 and T10 of the reliability design on real updates: broken updates, and one lying trainer of four. */
import { beforeAll, describe, expect, it } from "vitest";
import { MapBucket } from "../../../../scripts/simulation/map-bucket.ts";
import { answer } from "../../../../scripts/simulation/world.ts";
import { objectKey } from "../../../../shared/artifacts.ts";
import { PRESETS, supervisionConfigSchema, type SupervisionConfig } from "../../../../shared/config.ts";
import { createRandom } from "../../../../shared/model/random.ts";
import { decodeSafetensors, encodeSafetensors, type NamedArray } from "../../../../shared/model/formats/safetensors.ts";
import { arraysOf, viewsOf } from "../../../../shared/model/formats/weights-file.ts";
import { getObject, putObject } from "../../../../shared/store.ts";
import { startBackend } from "../../../../shared/tensor/engine/backend.ts";
import type { Lease, TrainResult, TrainTask } from "../../../../shared/training/protocol/task.ts";
import { BadDelta } from "../../../../workers/coordinator/mean.ts";
import { firstCheckpoint, nextCheckpoint } from "../../../../workers/coordinator/reduce.ts";
import { faultOfObjects, faultOfState } from "../../../../workers/coordinator/state-headers.ts";
import { ARITHMETIC } from "../../../../shared/training/protocol/arithmetic.ts";
import { effectOf, lease, reduced, reissue, submit } from "../../../../shared/training/protocol/run.ts";
import { initialState, trainResults, type RunSpec, type RunState } from "../../../../shared/training/protocol/run-state.ts";
import { planTask } from "../../../../shared/training/compute/plan-task.ts";
import { runTrainTask } from "../../../../shared/training/compute/run-task.ts";

beforeAll(startBackend);

const TRAINERS = ["liar", "a", "b", "c"] as const;
const tiny = PRESETS["tiny"]!;
const MODEL = { ...tiny.model, vocabSize: 17, width: 8, mlpWidth: 12, heads: 2, kvHeads: 1, headWidth: 4, context: 6 };
/** A model that is too large for a coordinator's memory. */
const LARGE = { ...MODEL, vocabSize: 100_000 };
const TRAINING = { ...tiny.training, seed: 3, tokens: 1e6, batch: 2, shards: 4, steps: 2 };
const TOKENS = Uint16Array.from({ length: 500 }, (_, index) => (index * index) % 17);

const specOf = (supervision: Partial<SupervisionConfig>, model = MODEL): RunSpec => {
  const none = "0".repeat(64);
  const named = { run: "r", preset: "tiny", dataset: none, tokenizer: none, model, training: TRAINING, rounds: 100 };
  return { ...named, supervision: supervisionConfigSchema.parse(supervision) };
};

type Change = (delta: NamedArray[]) => NamedArray[];
const scaled =
  (factor: number): Change =>
  (delta) =>
    delta.map(({ name, shape, data }) => ({ name, shape, data: data.map((value) => value * factor) }));

const normOf = (arrays: readonly NamedArray[]) => Math.hypot(...arrays.map(({ data }) => Math.hypot(...data)));

/** Noise with the same norm as the update. */
const noise: Change = (delta) => {
  const random = createRandom(7);
  const drawn = delta.map(({ name, shape, data }) => ({ name, shape, data: data.map(() => random() - 0.5) }));
  return scaled(normOf(delta) / normOf(drawn))(drawn);
};

/** The result of a task, with a changed update. */
async function compute(bucket: R2Bucket, task: TrainTask, change: Change): Promise<TrainResult> {
  const read = async (hash: string) => decodeSafetensors(new Uint8Array(await getObject(bucket, "part", hash, task.run)));
  const write = (arrays: NamedArray[]) => putObject(bucket, "part", encodeSafetensors(arrays), task.run);
  const [delta, inner]: [string[], string[]] = [[], []];
  const parts = {
    weights: (part: number) => read(task.weights[part]!),
    state: async (part: number) => (task.inner === null ? [] : read(task.inner[part]!)),
    write: async (_: number, moved: Parameters<typeof viewsOf>[0], state: Parameters<typeof viewsOf>[0]) => {
      delta.push(await write(change(arraysOf(moved))));
      inner.push(await write(arraysOf(state)));
    },
  };
  const { loss, sequences, tokens } = await runTrainTask(task, planTask(task), parts, {
    length: TOKENS.length,
    read: async (first, end) => TOKENS.slice(first, end),
  });
  return { kind: "train", delta, inner, loss, sequences, tokens, deltaBytes: 1, innerBytes: 1 };
}

/** Rounds with four trainers, of which one changes its updates. `refusals` gets the reasons of refused updates. */
async function rounds(count: number, supervision: Partial<SupervisionConfig>, lie: Change, refusals: string[] = []): Promise<RunState> {
  const bucket = new MapBucket().asBucket();
  const spec = specOf(supervision);
  let state = initialState(spec, await firstCheckpoint(bucket, spec));
  for (let event = 0; state.base.round < count && event < 1000; event++) {
    // Trainers ask in turn. The liar is the first.
    const trainer = TRAINERS[event % TRAINERS.length]!;
    const given: { state: RunState; lease: Lease | null } = lease(state, trainer, `l${event}`, event);
    state = given.state;
    if (given.lease?.task.kind === "train") {
      const result = await compute(bucket, given.lease.task, trainer === "liar" ? lie : (delta) => delta);
      state = submit(state, answer(given.lease, trainer, result), event).state;
    }
    if (effectOf(state)?.kind !== "reduce") continue;
    try {
      state = reduced(state, state.base.checkpoint, await nextCheckpoint(bucket, state), event);
    } catch (error) {
      if (!(error instanceof BadDelta)) throw error;
      refusals.push(error.message);
      state = reissue(state, state.base.checkpoint, error.shard, "bad-delta", event);
    }
  }
  return state;
}

const same: Change = (delta) => delta;

describe("one lying trainer of four", () => {
  it.each([
    ["the opposite", scaled(-1)],
    ["a hundred times as much", scaled(100)],
    ["noise of equal length", noise],
  ] as const)("that sends %s is found by an audit of every other task and shut out", async (_, lie) => {
    const state = await rounds(6, { audit: 2 }, lie);
    expect(state.trainers["liar"]).toMatchObject({ quarantined: true });
    for (const honest of ["a", "b", "c"]) expect(state.trainers[honest]).toMatchObject({ quarantined: false, strikes: 0 });
    expect(state.base.round).toBe(6);
  });

  it("changes nothing if every task is audited: the checkpoint equals the checkpoint of honest trainers", async () => {
    const [honest, lied] = [await rounds(3, {}, same), await rounds(3, { audit: 1 }, scaled(-1))];
    expect(lied.base.checkpoint).toBe(honest.base.checkpoint);
    expect(lied.counts).toMatchObject({ "audit-failed": expect.any(Number) });
  });

  it("that multiplies its update by a hundred is refused for the norm, without any audit, and changes nothing", async () => {
    const [honest, lied] = [await rounds(3, {}, same), await rounds(3, {}, scaled(100))];
    expect(lied.base.checkpoint).toBe(honest.base.checkpoint);
    expect(lied.counts).toMatchObject({ "bad-delta": expect.any(Number) });
  });
});

const filled =
  (value: number): Change =>
  (delta) =>
    delta.map(({ name, shape, data }) => ({ name, shape, data: data.map(() => value) }));

describe("a broken update", () => {
  it.each([
    ["NaN", filled(Number.NaN), "finite"],
    ["infinite", filled(Infinity), "finite"],
    ["huge", filled(1e30), "norm of at most 10000"],
    ["zero", filled(0), "an update, got zeros"],
    ["short of a tensor", (delta: NamedArray[]) => delta.slice(1), "tensors"],
    ["misshapen", ([first, ...rest]: NamedArray[]) => [{ ...first!, shape: [first!.data.length] }, ...rest], "got model"],
  ] as const)("that is %s is refused for its shard", async (_, change, reason) => {
    const refusals: string[] = [];
    expect((await rounds(1, {}, change as Change, refusals)).base.round).toBe(1);
    expect(refusals[0]).toMatch(new RegExp(`^update of shard 0, part 0: .*expected.*${reason}`));
  });

  it.each([
    ["truncated", (bytes: Uint8Array) => bytes.slice(0, -3)],
    ["followed by more", (bytes: Uint8Array) => new Uint8Array([...bytes, 0])],
    ["not a file at all", () => new Uint8Array([1, 2, 3])],
  ] as const)("whose bytes are %s is refused by name", async (_, change) => {
    const bucket = new MapBucket().asBucket();
    const spec = specOf({});
    const base = await firstCheckpoint(bucket, spec);
    const bytes = new Uint8Array(await getObject(bucket, "part", base.weights[0]!, "r"));
    const part = await putObject(bucket, "part", change(bytes), "r");
    const result: TrainResult = {
      kind: "train",
      delta: [part],
      inner: [part],
      loss: 1,
      sequences: 4,
      tokens: 24,
      deltaBytes: 1,
      innerBytes: 1,
    };
    const state = initialState(spec, base);
    const slots = state.slots.map((slot) => ({ ...slot, result }));
    await expect(nextCheckpoint(bucket, { ...state, slots })).rejects.toThrow(/^update of shard 0, part 0: safetensors: .*expected/);
  });
});

/** A complete round of honest updates. */
async function complete(model = MODEL): Promise<{ bucket: MapBucket; state: RunState; deltaKey: string }> {
  const bucket = new MapBucket();
  const spec = specOf({}, model);
  let state = initialState(spec, await firstCheckpoint(bucket.asBucket(), spec));
  while (effectOf(state) === null) {
    const given = lease(state, "a", `l${state.tasks}`, 0);
    const result = await compute(bucket.asBucket(), given.lease!.task as TrainTask, same);
    state = submit(given.state, answer(given.lease!, "a", result), 0).state;
  }
  return { bucket, state, deltaKey: objectKey("part", trainResults(state)[2]!.delta[0]!, "r") };
}

describe("a shard's state that is unusable for the shard's next task", () => {
  it.each([
    ["is not there", () => "f".repeat(64), "found none"],
    ["is not a file", async (bucket: R2Bucket) => putObject(bucket, "part", new Uint8Array([1, 2, 3]), "r"), "safetensors: .*expected"],
    [
      "holds NaN",
      async (bucket: R2Bucket, state: NamedArray[]) => putObject(bucket, "part", encodeSafetensors(filled(Number.NaN)(state)), "r"),
      "step: expected finite values",
    ],
    [
      "has other names",
      async (bucket: R2Bucket, state: NamedArray[]) =>
        putObject(bucket, "part", encodeSafetensors(state.map((array, at) => ({ ...array, name: `other${at}` }))), "r"),
      "expected step .*, got other0",
    ],
  ] as const)("because it %s blames its sender, not the trainer of the next task", async (_, replace, reason) => {
    const { bucket, state } = await complete();
    const result = trainResults(state)[1]!;
    const arrays = decodeSafetensors(new Uint8Array(await getObject(bucket.asBucket(), "part", result.inner![0]!, "r")));
    const inner = [await replace(bucket.asBucket(), arrays)];
    const slots = state.slots.with(1, { ...state.slots[1]!, result: { ...result, inner } });
    const reduction = nextCheckpoint(bucket.asBucket(), { ...state, slots });
    await expect(reduction).rejects.toMatchObject({
      shard: 1,
      message: expect.stringMatching(new RegExp(`^state of shard 1, part 0: .*${reason}`)),
    });
  });
});

describe("a shard's state of a model that is not kept in memory", () => {
  it("is judged by its header and its size when it is submitted, and a bad one strikes its sender alone", async () => {
    const bucket = new MapBucket();
    const spec = specOf({}, LARGE);
    const given = lease(initialState(spec, await firstCheckpoint(bucket.asBucket(), spec)), "a", "l", 0);
    const result = await compute(bucket.asBucket(), given.lease!.task as TrainTask, same);
    const honest = new Uint8Array(await getObject(bucket.asBucket(), "part", result.inner![0]!, "r"));
    const submitted = async (name: string) => {
      const submission = answer(given.lease!, "a", { ...result, inner: result.inner!.with(0, name) });
      const fault = await faultOfObjects(bucket.asBucket(), given.state, submission);
      return submit(given.state, submission, 0, ARITHMETIC, fault);
    };
    const put = (bytes: Uint8Array) => putObject(bucket.asBucket(), "part", bytes, "r");
    const renamed = encodeSafetensors(
      decodeSafetensors(honest).map(({ name, shape, data }, at) => ({ name: at === 1 ? `${name}x` : name, shape, data })),
    );
    const cases = [
      ["f".repeat(64), "found none"],
      [await put(honest.slice(0, -4)), `expected ${honest.length} bytes, got ${honest.length - 4}`],
      [await put(new Uint8Array(honest.length)), "expected the header of its tensors, got other bytes"],
      [await put(renamed), "expected \\d+ bytes, got|got other bytes"],
    ] as const;
    for (const [name, reason] of cases) {
      const inner = result.inner!.with(0, name);
      expect(await faultOfState(bucket.asBucket(), spec, { ...result, inner })).toMatch(new RegExp(`^part 0: .*(${reason})`));
      const { state, reply } = await submitted(name);
      expect(reply).toEqual({ accepted: false, reason: "bad-state" });
      expect(state.trainers["a"]).toMatchObject({ strikes: 1 });
    }
    expect((await submitted(result.inner![0]!)).reply).toEqual({ accepted: true, duplicate: false });
    // Storage that fails is nobody's fault: the trainer submits again.
    bucket.failures.set(objectKey("part", result.inner![0]!, "r"), 100);
    await expect(submitted(result.inner![0]!)).rejects.toThrow("internal error");
  });

  it("is not read by the reduction, so that the requests of wide rounds stay few", async () => {
    const { bucket, state } = await complete(LARGE);
    for (const hash of trainResults(state).flatMap(({ inner }) => inner!)) bucket.failures.set(objectKey("part", hash, "r"), 100);
    expect((await nextCheckpoint(bucket.asBucket(), state)).round).toBe(1);
  });
});

describe("an update that cannot be read", () => {
  it("because storage fails blames no trainer: the reduction fails, and a retry gives the same checkpoint", async () => {
    const { bucket, state, deltaKey } = await complete();
    const undisturbed = await nextCheckpoint(bucket.asBucket(), state);
    bucket.failures.set(deltaKey, 100);
    const failure = await nextCheckpoint(bucket.asBucket(), state).catch((error: unknown) => error);
    expect(failure).not.toBeInstanceOf(BadDelta);
    expect(failure).toMatchObject({ message: expect.stringContaining("internal error") });
    bucket.failures.clear();
    expect(await nextCheckpoint(bucket.asBucket(), state)).toEqual(undisturbed);
  });

  it("because it is missing is computed again", async () => {
    const { bucket, state, deltaKey } = await complete();
    bucket.objects.delete(deltaKey);
    await expect(nextCheckpoint(bucket.asBucket(), state)).rejects.toMatchObject({
      shard: 2,
      message: expect.stringContaining("found none"),
    });
  });
});
