/** A run of 10,000 rounds with made losses: the time of its tick, and the size of its events. */
import { DatabaseSync } from "node:sqlite";
import type { Dataset } from "../../../../shared/artifacts.ts";
import { drawScene, firstBase } from "../../../simulation/world.ts";
import { initialState } from "../../../../shared/training/protocol/run-state.ts";
import type { RunTick } from "../../../../shared/contracts/runs.ts";
import { median } from "../statistics.ts";
import { RunStore, statusOf, tickEvents, tickOf } from "../../workers/run-view.ts";

export const ROUNDS = 10_000;
const TIMES = 2000;
/** A tick shows these figures of the dataset. */
const DATASET = { kind: "pretrain", documents: 4000, trainTokens: 1e7, valTokens: 1e5, valBytes: 4.2e5 } as Dataset;

/** A loss that falls and scatters, with a spike in the middle. */
export const lossAt = (round: number): number =>
  round === ROUNDS / 2 ? 9 : 2 + 5 * Math.exp(-round / 1500) + 0.2 * Math.sin(round * 12.9898) * Math.cos(round * 78.233);

function storeOf(rounds: number): RunStore {
  const database = new DatabaseSync(":memory:");
  const exec = (query: string, ...values: (string | number)[]) => {
    const rows = database.prepare(query).all(...values);
    return { toArray: () => rows, one: () => rows[0] };
  };
  const store = new RunStore({ sql: { exec }, transactionSync: (work: () => void) => work() } as unknown as DurableObjectStorage);
  const insert = database.prepare("INSERT INTO rounds VALUES (?, ?, ?)");
  database.exec("BEGIN");
  for (let round = 0; round < rounds; round++) insert.run(round, lossAt(round), 1000 * round);
  database.exec("COMMIT");
  return store;
}

/** Milliseconds of one tick (median of 2,000), and the bytes of the first event and of one that brings a round. */
export async function measureTicks(rounds: number): Promise<{ tickMs: number; firstBytes: number; roundBytes: number }> {
  const store = storeOf(rounds);
  const { spec } = drawScene(0);
  const first = initialState({ ...spec, rounds: 2 * ROUNDS }, firstBase(spec));
  let round = rounds;
  const tick = (): RunTick =>
    tickOf(statusOf(null, { ...first, base: { ...first.base, round } }, store.history, "newest", DATASET), DATASET);
  tick();
  const times = Array.from({ length: TIMES }, () => {
    const start = performance.now();
    tick();
    return performance.now() - start;
  });
  const source = {
    tick: async () => tick(),
    lossesAfter: (after: number, limit: number) => store.history.lossesAfter(after, limit),
    changed: async () => undefined,
  };
  // The platform's clock for waits, which Node lacks under this name.
  Object.assign(globalThis, { scheduler: { wait: (ms: number) => new Promise((resolve) => setTimeout(resolve, ms)) } });
  const reader = tickEvents(source, rounds - 1).getReader();
  const firstBytes = (await reader.read()).value!.byteLength;
  round++;
  const roundBytes = (await reader.read()).value!.byteLength;
  await reader.cancel();
  return { tickMs: median(times), firstBytes, roundBytes };
}
