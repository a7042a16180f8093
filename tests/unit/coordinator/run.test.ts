/** The training protocol under faults, as a seeded simulation: state is serialised between events, as after an eviction. */
import { describe, expect, it } from "vitest";
import { PRESETS } from "../../../shared/config.ts";
import { createRandom } from "../../../shared/model/random.ts";
import { tokensPerRound } from "../../../shared/training/rounds.ts";
import type { Lease, Submission } from "../../../shared/training/task.ts";
import {
  evaluated,
  initialState,
  isRoundComplete,
  lease,
  LEASE_MS,
  MAX_BAD_RESULTS,
  reduced,
  restarted,
  submit,
  type Base,
  type RunState,
} from "../../../workers/coordinator/run.ts";

const hash = (text: string) => Buffer.from(text).toString("hex").padEnd(64, "0").slice(0, 64);
const baseOf = (round: number): Base => ({
  checkpoint: hash(`c${round}`),
  weights: hash(`w${round}`),
  outer: null,
  inner: [null, null, null],
  tokens: round,
});
const tiny = PRESETS["tiny"]!;
const ROUNDS = 4;

function start(): RunState {
  const training = { ...tiny.training, shards: 3, seed: 1, tokens: 1 };
  const model = { ...tiny.model, vocabSize: 300 };
  const spec = { run: "r", preset: "tiny", dataset: hash("d"), tokenizer: hash("t"), model, training, rounds: ROUNDS };
  expect(tokensPerRound(training, model)).toBe(512);
  return initialState(spec, baseOf(0));
}

/** What an honest trainer answers: a function of the task alone. Eight sequences over three shards are 2, 3 and 3. */
function answer({ id, task }: Lease, trainer = "a"): Submission {
  const common = { lease: id, trainer, run: task.run, round: task.round, shard: task.shard, base: task.base };
  const sequences = task.shard === 0 ? 2 : 3;
  if (task.kind === "evaluate") return { ...common, result: { kind: "evaluate", lossSum: task.shard + 1, targets: 2, milliseconds: 1 } };
  return {
    ...common,
    result: {
      kind: "train",
      delta: hash(`x${task.round}-${task.shard}`),
      inner: null,
      loss: 1,
      sequences,
      tokens: sequences * 64,
      milliseconds: 1,
    },
  };
}

function leased(state: RunState, now = 0): { state: RunState; lease: Lease } {
  const result = lease(state, "a", "lease", now);
  if (result.lease === null) throw new Error("expected a lease, got none");
  return { state: result.state, lease: result.lease };
}

describe("run", () => {
  it("gives a task to one trainer at a time, and to the next when the lease is over", () => {
    const first = leased(start());
    expect(leased(first.state).lease.task.shard).toBe(1);
    expect(leased(first.state, LEASE_MS).lease.task.shard).toBe(0);
  });

  it("gives tasks out again at once after a restart", () => {
    expect(leased(restarted(leased(start()).state)).lease.task.shard).toBe(0);
  });

  it("counts a result once, answers its repetition alike and refuses a different one", () => {
    const one = leased(start());
    const submission = answer(one.lease);
    const { state, reply } = submit(one.state, submission);
    expect(reply).toEqual({ accepted: true, duplicate: false });
    const again = submit(state, { ...submission, result: { ...submission.result, milliseconds: 9 } });
    expect(again.reply).toEqual({ accepted: true, duplicate: true });
    const other = submit(state, { ...submission, result: { ...submission.result, delta: hash("other") } as Submission["result"] });
    expect(other.reply).toEqual({ accepted: false, reason: "conflict" });
    expect(other.state.results).toEqual(state.results);
  });

  it("refuses by name what belongs elsewhere, and changes no result", () => {
    const { state, lease: given } = leased(start());
    const good = answer(given);
    const cases: [string, Submission][] = [
      ["stale", { ...good, round: 1 }],
      ["stale", { ...good, base: hash("old") }],
      ["wrong-run", { ...good, run: "q" }],
      ["wrong-shard", { ...good, shard: 3 }],
      ["wrong-phase", { ...good, result: { kind: "evaluate", lossSum: 1, targets: 1, milliseconds: 1 } }],
      ["not-finite", { ...good, result: { ...good.result, loss: Number.NaN } as Submission["result"] }],
      ["wrong-amount", { ...good, result: { ...good.result, sequences: 1000 } as Submission["result"] }],
      ["wrong-object", { ...good, result: { ...good.result, delta: "../x" } as Submission["result"] }],
    ];
    for (const [reason, submission] of cases) {
      const result = submit(state, submission);
      expect(result.reply).toEqual({ accepted: false, reason });
      expect(result.state.results).toEqual(state.results);
    }
  });

  it("gives up with a message when results stay unusable", () => {
    let state = start();
    for (let index = 0; index < MAX_BAD_RESULTS; index++) {
      const next = leased(state);
      const good = answer(next.lease);
      state = submit(next.state, { ...good, result: { ...good.result, loss: Number.NaN } as Submission["result"] }).state;
    }
    expect(state).toMatchObject({ phase: "failed", error: expect.stringContaining("not-finite") });
    expect(lease(state, "a", "x", 0).lease).toBeNull();
  });

  it("ends every faulty history in the state of the undisturbed one", () => {
    for (let seed = 0; seed < 500; seed++) {
      const random = createRandom(seed);
      let state = start();
      let now = 0;
      const mail: Submission[] = [];
      const applied = new Set<string>();
      for (let event = 0; state.phase !== "done" && event < 5000; event++) {
        state = JSON.parse(JSON.stringify(state)) as RunState;
        now += random() * 20_000;
        const chance = random();
        if (chance < 0.02) state = restarted(state);
        const given = lease(state, `t${event % 3}`, `l${event}`, now);
        state = given.state;
        // Some trainers die with their lease; the others' mail is kept, and may arrive late, in any order and again.
        if (given.lease !== null && chance > 0.2) mail.push(answer(given.lease));
        if (mail.length > 0 && random() < 0.7) {
          const index = Math.floor(random() * mail.length);
          const submission = mail[index]!;
          if (random() < 0.7) mail.splice(index, 1);
          const result = submit(state, submission);
          state = result.state;
          if (result.reply.accepted && !result.reply.duplicate) {
            const key = `${submission.result.kind} ${submission.round} ${submission.shard}`;
            if (applied.has(key)) throw new Error(`seed ${seed}: ${key} applied twice`);
            applied.add(key);
          }
        }
        if (isRoundComplete(state))
          state = state.phase === "training" ? reduced(state, state.round, baseOf(state.round + 1)) : evaluated(state);
      }
      // (1 + 2 + 3) / (2 + 2 + 2), by hand.
      expect({ phase: state.phase, base: state.base, valLoss: state.valLoss }, `seed ${seed}`).toEqual({
        phase: "done",
        base: baseOf(ROUNDS),
        valLoss: 1,
      });
      expect(applied.size).toBe(3 * (ROUNDS + 1));
    }
  });
});
