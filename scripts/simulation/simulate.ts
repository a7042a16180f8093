/**
 * One seeded history of a training run under the faults T2-T20 of the reliability design, with the invariants I1-I5 and
 * I8 checked after every event. The same seed gives the same history; a violation names it.
 */
import { MAX_DURABLE_ROW_BYTES } from "../../shared/limits.ts";
import { createRandom } from "../../shared/model/random.ts";
import { shardRange } from "../../shared/training/data-order.ts";
import type { Lease, Submission, TaskResult } from "../../shared/training/task.ts";
import { initialState, isOver, partsOf, retained, trainResults, type Base, type RunState } from "../../workers/coordinator/run-state.ts";
import { MAX_BAD_RESULTS } from "../../workers/coordinator/run.ts";
import { MAX_LEASE_MS } from "../../workers/coordinator/trainers.ts";
import {
  answer,
  checkpointAfter,
  drawScene,
  firstBase,
  honest,
  nameOf,
  rolledBackTo,
  undisturbed,
  Violation,
  type Protocol,
} from "./world.ts";

const HOUR_MS = 3_600_000;
const MAX_EVENTS = 300;
/** Events of the calm after the last fault: one poll of one trainer each. */
const MAX_CALM_EVENTS = 20_000;

interface Mail {
  submission: Submission;
  trainer: string;
}

/** An effect under way: objects are put one by one, then the reducer hears of it. */
interface Pending {
  from: string;
  base: Base;
  puts: string[];
  kind: "reduce" | "roll-back";
  reason: string;
}

class History {
  readonly #protocol: Protocol;
  readonly #random: () => number;
  readonly #scene;
  #now = 1_000_000_000;
  #state: RunState;
  /** What survives a crash: the stored rows and the objects. */
  #disk: string;
  readonly #objects = new Set<string>();
  /** Updates whose bytes are bad, as whoever reads them finds out. */
  readonly #badObjects = new Set<string>();
  #pending: Pending | null = null;
  readonly #mail: Mail[] = [];
  #serial = 0;
  /** Sequence numbers of training windows that the current line of checkpoints has consumed, by round. */
  readonly #consumed = new Map<number, [first: number, end: number][]>();
  #acknowledged: { base: string; shard: number; delta: string } | null = null;
  /** Unusable results that were sent. */
  #unusable = 0;
  events = 0;

  constructor(seed: number, protocol: Protocol) {
    this.#protocol = protocol;
    this.#scene = drawScene(seed);
    this.#random = createRandom(seed * 7 + 1);
    const base = firstBase(this.#scene.spec);
    for (const name of [base.checkpoint, ...partsOf(base)]) this.#objects.add(name);
    this.#state = initialState(this.#scene.spec, base);
    this.#disk = JSON.stringify(this.#state);
  }

  #fail(what: string): never {
    throw new Violation(`seed ${this.#scene.seed}, event ${this.events}: ${what}`);
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }

  #store(next: RunState): void {
    const json = JSON.stringify(next);
    // T17: a failed transaction leaves memory and disk as they were.
    if (this.#chance(0.01) && this.#faulty) return;
    if (json.length > MAX_DURABLE_ROW_BYTES) this.#fail(`I8: expected a state below ${MAX_DURABLE_ROW_BYTES} bytes, got ${json.length}`);
    this.#state = next;
    this.#disk = json;
  }

  #faulty = true;

  /** T1-T3: the process dies; whatever was under way is gone, its objects stay as orphans. */
  #crash(): void {
    this.#state = this.#protocol.restarted(JSON.parse(this.#disk) as RunState);
    this.#pending = null;
    const { base } = this.#state;
    for (const name of [base.checkpoint, ...partsOf(base)]) {
      if (!this.#objects.has(name)) this.#fail(`I3: expected the current checkpoint to be complete, ${name} is missing`);
    }
    const word = this.#acknowledged;
    if (word !== null && this.#state.base.checkpoint === word.base && this.#state.phase === "training") {
      const slot = this.#state.slots[word.shard]!;
      const known = [...slot.votes.map(({ result }) => result), slot.result];
      if (!known.some((result) => result?.kind === "train" && result.delta[0] === word.delta))
        this.#fail("I1: an acknowledged result is gone");
    }
  }

  #leaseAndWork(trainer: string, faulty: boolean): void {
    const given = this.#protocol.lease(this.#state, trainer, `l${this.#serial++}`, this.#now);
    if (given.lease === null) return;
    const others = this.#state.slots[given.lease.task.shard]!.leases.filter(
      ({ givenAt, expiresAt }) => givenAt <= this.#now && this.#now < expiresAt,
    );
    const audited = this.#scene.spec.supervision.audit > 0;
    if (!audited && others.length > 0) this.#fail("a task was leased while another lease on it lives");
    const before = this.#disk;
    this.#store(given.state);
    // The reply of a lease that was not stored never arrives.
    if (this.#disk === before) return;
    if (faulty && this.#chance(0.15)) return; // T4: dies with the lease
    this.#mail.push({ submission: answer(given.lease, trainer, this.#resultOf(given.lease, trainer, faulty)), trainer });
  }

  #resultOf(lease: Lease, trainer: string, faulty: boolean): TaskResult {
    const result = honest(this.#scene, lease);
    if (result.kind !== "train") return result;
    const liar = this.#scene.byzantine && trainer === "t0";
    const delta = liar ? [nameOf("lie", lease.id)] : result.delta;
    this.#objects.add(delta[0]!);
    // T8, T12, T13: bad numbers, or bytes that turn out to be bad when they are read. Only some trainers, only sometimes.
    if (faulty && trainer === "t1" && this.#chance(0.1)) {
      this.#unusable++;
      if (this.#chance(0.5)) return { ...result, loss: Number.NaN };
      const bad = nameOf("bad", lease.id);
      this.#objects.add(bad);
      this.#badObjects.add(bad);
      return { ...result, delta: [bad] };
    }
    return { ...result, delta };
  }

  /** Delivers some mail: late, in any order, again (T5, T6, T11). */
  #deliver(faulty: boolean): void {
    if (this.#mail.length === 0) return;
    const index = faulty ? Math.floor(this.#random() * this.#mail.length) : 0;
    const { submission } = this.#mail[index]!;
    if (!faulty || !this.#chance(0.3)) this.#mail.splice(index, 1);
    this.#submit(faulty && this.#chance(0.05) ? this.#spoil(submission) : submission);
  }

  /** T10: what does not belong here, which must be refused and change no result. */
  #spoil(submission: Submission): Submission {
    const { result } = submission;
    const spoiled: Submission[] = [
      { ...submission, run: "other" },
      { ...submission, base: nameOf("old base") },
      { ...submission, shard: this.#scene.spec.training.shards },
      { ...submission, lease: "never given" },
    ];
    if (result.kind === "train") {
      spoiled.push({ ...submission, result: { ...result, delta: ["../x"] } }, { ...submission, result: { ...result, sequences: 1000 } });
      spoiled.push({ ...submission, result: { ...result, loss: Infinity } });
    }
    this.#unusable++;
    return spoiled[Math.floor(this.#random() * spoiled.length)]!;
  }

  #submit(submission: Submission): void {
    const before = this.#state;
    const { state, reply } = this.#protocol.submit(before, submission, this.#now);
    const wrong =
      submission.run !== before.spec.run || submission.base !== before.base.checkpoint || submission.round !== before.base.round;
    if (wrong && reply.accepted) this.#fail("I2: a result of another round or base was accepted");
    const { result, shard } = submission;
    if (result.kind === "train" && reply.accepted && !Number.isFinite(result.loss))
      this.#fail("T8: a result that is not finite was accepted");
    const known = before.slots[shard]?.result;
    if (reply.accepted && !reply.duplicate && known != null) this.#fail("I2: a second result of a shard was applied");
    if (reply.accepted && known != null && state.slots[shard]?.result !== known) this.#fail("I2: an applied result was replaced");
    if (reply.accepted && !reply.duplicate && state.spentMs < before.spentMs) this.#fail("T15: time was taken back");
    const stored = this.#disk;
    this.#store(state);
    if (this.#disk !== stored && reply.accepted && result.kind === "train") {
      this.#acknowledged = { base: submission.base, shard, delta: result.delta[0]! };
    }
  }

  /** Starts an effect, puts one of its objects, or reports it. */
  #work(faulty: boolean): void {
    if (this.#pending === null) {
      this.#begin();
      return;
    }
    const { puts, kind, from, base, reason } = this.#pending;
    const next = puts[0];
    if (next !== undefined) {
      if (faulty && this.#chance(0.1)) return; // T12: the put fails and is tried again
      this.#objects.add(next);
      // T12: it was stored but the reply is lost, so it is put once more.
      if (!faulty || !this.#chance(0.1)) puts.shift();
      return;
    }
    for (const name of [base.checkpoint, ...partsOf(base)]) {
      if (!this.#objects.has(name)) this.#fail(`I3: ${name} was committed before it was stored`);
    }
    const before = this.#state;
    const after =
      kind === "reduce" ? this.#protocol.reduced(before, from, base, this.#now) : this.#protocol.rolledBack(before, from, base, reason);
    this.#store(after);
    if (this.#state !== after) return;
    // T11: now and then the report comes a second time, much later.
    if (!faulty || !this.#chance(0.1)) this.#pending = null;
    if (after === before) return;
    if (after.base.checkpoint !== base.checkpoint && !isOver(after)) this.#fail("I3: the pointer is not the checkpoint that was written");
    if (kind === "roll-back") for (const key of this.#consumed.keys()) if (key >= base.round) this.#consumed.delete(key);
    if (kind === "reduce") this.#consume(before);
  }

  #begin(): void {
    const effect = this.#protocol.effectOf(this.#state);
    if (effect === null) return;
    const { base } = this.#state;
    if (effect.kind === "roll-back") {
      const to = rolledBackTo(effect.to, effect.lrScale);
      this.#pending = { from: base.checkpoint, base: to, puts: [to.checkpoint], kind: effect.kind, reason: effect.reason };
      return;
    }
    const results = trainResults(this.#state);
    const bad = results.findIndex(({ delta }) => this.#badObjects.has(delta[0]!));
    if (bad >= 0) {
      this.#store(this.#protocol.reissue(this.#state, base.checkpoint, bad, "bad-delta", this.#now));
      // Bytes that turned out to be bad are taken back: that word is not broken by it.
      if (this.#acknowledged?.shard === bad) this.#acknowledged = null;
      return;
    }
    const tokens = results.reduce((sum, result) => sum + result.tokens, 0);
    const next = checkpointAfter(
      base,
      results.flatMap(({ delta }) => delta),
      tokens,
    );
    this.#pending = { from: base.checkpoint, base: next, puts: [...next.weights, next.checkpoint], kind: "reduce", reason: "" };
  }

  /** Notes the windows that a committed round has read. */
  #consume(before: RunState): void {
    const { batch, shards } = this.#scene.spec.training;
    const { round } = before.base;
    if (this.#consumed.has(round)) this.#fail(`I2: round ${round} was committed twice`);
    const ranges = before.slots.map((_, shard): [number, number] => {
      const [first, end] = shardRange(batch, shard, shards);
      return [round * batch + first, round * batch + end];
    });
    this.#consumed.set(round, ranges);
  }

  #checkAlways(): void {
    for (const base of retained(this.#state)) {
      if (!this.#objects.has(base.checkpoint)) this.#fail(`I3: a kept checkpoint is not stored: round ${base.round}`);
    }
    const json = JSON.stringify(this.#state.trainers);
    if (json.length > 200_000) this.#fail(`I8: expected few trainers to be remembered, got ${json.length} bytes`);
  }

  /** Time passes; T15: sometimes it jumps or stands still. */
  #tick(): void {
    const jump = this.#random();
    if (jump < 0.005) this.#now -= HOUR_MS;
    else if (jump < 0.01) this.#now += 24 * HOUR_MS;
    else if (jump < 0.9) this.#now += this.#random() * 20_000;
  }

  /** Faults of every kind, then calm until the end. */
  run(): void {
    const count = 20 + Math.floor(this.#random() * (MAX_EVENTS - 20));
    for (this.events = 0; this.events < count && !isOver(this.#state); this.events++) {
      this.#tick();
      if (this.#chance(0.03)) this.#crash();
      // T19, T20: who asks changes all the time; some names come once and never again.
      const trainer = this.#chance(0.05) ? `guest${this.events}` : `t${Math.floor(this.#random() * this.#scene.trainers)}`;
      if (this.#chance(0.6)) this.#leaseAndWork(trainer, true);
      if (this.#chance(0.6)) this.#deliver(true);
      if (this.#chance(0.8)) this.#work(true);
      this.#checkAlways();
    }
    this.#faulty = false;
    this.#calm();
    this.#checkEnd();
  }

  /** I5: honest trainers poll each second; every round commits within two leases. */
  #calm(): void {
    let progress = `${this.#state.phase} ${this.#state.base.checkpoint}`;
    let since = this.#now;
    for (let event = 0; event < MAX_CALM_EVENTS && !isOver(this.#state); event++, this.events++) {
      this.#now += 1000;
      for (let index = 0; index < Math.max(2, this.#scene.trainers); index++) this.#leaseAndWork(`t${index}`, false);
      this.#deliver(false);
      this.#work(false);
      this.#checkAlways();
      const current = `${this.#state.phase} ${this.#state.base.checkpoint}`;
      if (current !== progress) [progress, since] = [current, this.#now];
      if (this.#now - since > 2 * MAX_LEASE_MS)
        this.#fail(
          `I5: expected progress within two leases, got none in ${current}: ${JSON.stringify(this.#state.slots)} ${JSON.stringify(this.#state.trainers)} ${JSON.stringify(this.#scene.spec.supervision)} diverged ${this.#state.diverged}, pending ${JSON.stringify(this.#pending)}`,
        );
    }
  }

  #checkEnd(): void {
    const state = this.#state;
    if (state.phase !== "done") this.#fail(`expected the run to be done, it is ${state.phase}: ${state.error ?? ""}`);
    const rounds = [...this.#consumed.keys()].toSorted((a, b) => a - b);
    const ranges = rounds.flatMap((round) => this.#consumed.get(round)!);
    let position = 0;
    for (const [first, end] of ranges) {
      if (first !== position) this.#fail(`expected the next window to be ${position}, got ${first}: examples skipped or repeated`);
      position = end;
    }
    if (position !== this.#scene.spec.rounds * this.#scene.spec.training.batch)
      this.#fail(`expected all windows to be read, got ${position}`);
    if (this.#scene.byzantine) {
      if (!state.trainers["t0"]?.quarantined) this.#fail("T9: expected the lying trainer to be found out");
      return;
    }
    const expected = undisturbed(this.#scene, this.#protocol);
    const spikes = state.rollbacks.filter(({ reason }) => reason.startsWith("loss"));
    // A lone trainer whose results stay unusable takes the run back by design; that is another run from there on.
    const unusable = state.rollbacks.length - spikes.length;
    if (unusable > 0 && this.#unusable < unusable * MAX_BAD_RESULTS)
      this.#fail(`expected no rollback for ${this.#unusable} unusable results, got ${unusable}`);
    if (unusable > 0) return;
    if (spikes.length !== expected.rollbacks.length) this.#fail(`expected ${expected.rollbacks.length} rollbacks, got ${spikes.length}`);
    if (state.base.checkpoint !== expected.base.checkpoint)
      this.#fail(`I4: expected checkpoint ${expected.base.checkpoint}, got ${state.base.checkpoint}`);
  }
}

/** Runs one history. Throws a Violation that names the seed. Returns the number of events. */
export function simulate(seed: number, protocol: Protocol): number {
  const history = new History(seed, protocol);
  history.run();
  return history.events;
}
