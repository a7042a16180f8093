/** A run's ticks as events. Each event has only the changes, and no round is lost when the connection breaks. */
import { beforeEach, describe, expect, it, vi } from "vitest";
import { tickEventSchema, type RunTick } from "../../../shared/contracts/runs.ts";
import { tickEvents } from "../../../workers/coordinator/tick-events.ts";

beforeEach(() => {
  vi.stubGlobal("scheduler", { wait: async () => undefined });
});

const lossOf = (round: number) => 5 - round / 100;
const tickAt = (round: number, state: RunTick["state"] = "training"): RunTick => ({
  id: "00000000-0000-4000-8000-000000000000",
  state,
  progress: { stage: "training", done: round, total: 10_000 },
  round,
  rounds: 10_000,
  shards: 4,
  finished: round % 4,
  tokens: 20_480 * round,
  totalTokens: 204_800_000,
  tokensPerSecond: 2000 + round,
  secondsLeft: 10_000 - round,
  valLoss: 3.123456789,
  unigramLoss: 6.158914576219829,
  trigramLoss: 3.696059314163736,
  parameters: 1_066_368,
  vocabSize: 1024,
  loss: round === 0 ? null : lossOf(round - 1),
  trainers: 2,
  dataset: { documents: 217, tokens: 505_266, bytesPerToken: 2.348570464704394, kind: "pretrain" },
});

/** A run that returns the next of these ticks at each call of `tick`. */
function runOf(ticks: readonly (RunTick | null)[]) {
  let at = 0;
  let current: RunTick | null = null;
  return {
    tick: async () => (current = ticks[Math.min(at++, ticks.length - 1)]!),
    lossesAfter: (round: number, limit: number) =>
      Array.from({ length: Math.max(0, (current?.round ?? 0) - 1 - round) }, (_, index): [number, number] => [
        round + 1 + index,
        lossOf(round + 1 + index),
      ]).slice(0, limit),
    changed: async () => undefined,
  };
}

async function read(stream: ReadableStream<Uint8Array>, most = Infinity) {
  const events: { name: string; id: number; bytes: number; data: ReturnType<typeof tickEventSchema.parse> }[] = [];
  for await (const chunk of stream) {
    const text = new TextDecoder().decode(chunk);
    const valueOf = (field: string) => new RegExp(`^${field}: (.*)$`, "m").exec(text)?.[1] ?? "";
    events.push({
      name: valueOf("event"),
      id: Number(valueOf("id")),
      bytes: chunk.length,
      data: tickEventSchema.parse(JSON.parse(valueOf("data"))),
    });
    if (events.length === most) break;
  }
  return events;
}

describe("ticks", () => {
  it("tell first the whole tick, then what has changed, in few bytes, until the run is over", async () => {
    const events = await read(tickEvents(runOf([tickAt(3), tickAt(3), tickAt(4), tickAt(6), tickAt(6, "done")]), null));
    expect(events.map(({ id, data }) => [id, data.state ?? null, data.losses.map(([round]) => round)])).toEqual([
      [2, "training", []],
      [3, null, [3]],
      [5, null, [4, 5]],
      [5, "done", []],
    ]);
    expect(events[0]!.data).toMatchObject(tickAt(3));
    expect(
      events
        .slice(1)
        .map(({ bytes }) => bytes)
        .filter((bytes) => bytes > 600),
    ).toEqual([]);
  });

  it("tell every round once, however often the connection breaks", async () => {
    const told: number[] = [];
    let newest = -1;
    for (let round = 1; round <= 200; round += 7) {
      const ticks = [tickAt(round), tickAt(Math.min(200, round + 4))];
      for (const { id, data } of await read(tickEvents(runOf(ticks), newest), 2)) {
        told.push(...data.losses.map(([each]) => each));
        newest = id;
      }
    }
    expect(told).toEqual(Array.from({ length: told.length }, (_, index) => index));
    expect(told.length).toBe(newest + 1);
    expect(newest).toBeGreaterThan(190);
  });

  it("say that a reader is too far behind, and when the run was deleted", async () => {
    const [first] = await read(tickEvents(runOf([tickAt(500)]), 0), 1);
    expect(first!.data).toMatchObject({ isBehind: true, losses: [] });
    const events = await read(tickEvents(runOf([tickAt(1), null]), null));
    expect(events.map(({ name }) => name)).toEqual(["tick", "deleted"]);
  });
});
