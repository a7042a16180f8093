/**
 * One seeded history of a training run under faults, with the invariants I1-I5 and I8 of the reliability design checked
 * after every event. The same seed gives the same history; a violation names it. Faults that need more than the
 * reducer are proved elsewhere: T1 by soak/kill.ts, T16 and real bytes of T13 by the pipeline tests, T18 by the stored
 * formats' tests.
 */
import { MAX_DURABLE_ROW_BYTES } from "../../shared/limits.ts";
import { createRandom } from "../../shared/model/random.ts";
import type { Lease, Submission, TaskResult } from "../../shared/training/protocol/task.ts";
import {
  initialState,
  isOver,
  namesIn,
  partsOf,
  retained,
  retainedHashes,
  trainResults,
  type Base,
  type RunState,
} from "../../shared/training/protocol/run-state.ts";
import { LIE_STRIKES, MAX_LEASE_MS } from "../../shared/training/protocol/trainers.ts";
import { ConsumedWindows } from "./consumed-windows.ts";
import { spoilt, type Fault } from "./faults.ts";
import { checkAlways, checkEnd, DAMAGE, type Seen } from "./invariants.ts";
import { StoredObjects } from "./stored-objects.ts";
import { answer, checkpointAfter, drawScene, firstBase, honest, nameOf, rolledBackTo, Violation, type Protocol } from "./world.ts";

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
  readonly #objects = new StoredObjects();
  /** Updates whose bytes are bad, as whoever reads them finds out. */
  readonly #badObjects = new Set<string>();
  #pending: Pending | null = null;
  readonly #mail: Mail[] = [];
  #serial = 0;
  readonly #consumed: ConsumedWindows;
  #acknowledged: { base: string; shard: number; delta: string } | null = null;
  /** Unusable results that were sent. */
  #unusable = 0;
  events = 0;
  /** How often each fault has happened. */
  readonly drawn: Partial<Record<Fault, number>> = {};

  constructor(seed: number, protocol: Protocol) {
    this.#protocol = protocol;
    this.#scene = drawScene(seed);
    this.#random = createRandom(seed * 7 + 1);
    this.#consumed = new ConsumedWindows(this.#scene.spec.training, (what) => this.#fail(what));
    const base = firstBase(this.#scene.spec);
    for (const name of [base.checkpoint, ...partsOf(base)]) this.#objects.put(name, this.events);
    this.#state = initialState(this.#scene.spec, base);
    this.#disk = JSON.stringify(this.#state);
  }

  #fail(what: string): never {
    throw new Violation(`seed ${this.#scene.seed}, event ${this.events}: ${what}`);
  }

  #seen(): Seen {
    return {
      scene: this.#scene,
      state: this.#state,
      objects: this.#objects,
      unusable: this.#unusable,
      fail: (what) => this.#fail(what),
    };
  }

  #draw(fault: Fault): void {
    this.drawn[fault] = (this.drawn[fault] ?? 0) + 1;
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }

  #store(next: RunState): void {
    const json = JSON.stringify(next);
    // T17: a failed transaction leaves memory and disk as they were.
    if (this.#chance(0.01) && this.#faulty) return this.#draw("T17");
    if (json.length > MAX_DURABLE_ROW_BYTES) this.#fail(`I8: expected a state below ${MAX_DURABLE_ROW_BYTES} bytes, got ${json.length}`);
    this.#state = next;
    this.#disk = json;
  }

  #faulty = true;

  /** T2, T3: the object is evicted, perhaps while it writes; whatever was under way is gone, its objects stay as orphans. */
  #crash(): void {
    this.#draw(this.#pending === null ? "T2" : "T3");
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
    if (given.lease === null) {
      if (given.state !== this.#state) this.#store(given.state);
      return;
    }
    const others = this.#state.slots[given.lease.task.shard]!.leases.filter(
      ({ givenAt, expiresAt }) => givenAt <= this.#now && this.#now < expiresAt,
    );
    const audited = this.#scene.spec.supervision.audit > 0;
    if (!audited && others.length > 0) this.#fail("a task was leased while another lease on it lives");
    const before = this.#disk;
    this.#store(given.state);
    // The reply of a lease that was not stored never arrives.
    if (this.#disk === before) return;
    // The trainer dies with the lease.
    if (faulty && this.#chance(0.15)) return this.#draw("T4");
    this.#mail.push({ submission: answer(given.lease, trainer, this.#resultOf(given.lease, trainer, faulty)), trainer });
  }

  #resultOf(lease: Lease, trainer: string, faulty: boolean): TaskResult {
    const result = honest(this.#scene, lease);
    if (result.kind !== "train") return result;
    const liar = this.#scene.byzantine && trainer === "t0";
    if (liar) this.#draw("T9");
    const delta = liar ? [nameOf("lie", lease.id)] : result.delta;
    for (const name of [...delta, ...(result.inner ?? [])]) this.#objects.put(name, this.events);
    // T8, T12, T13: bad numbers, or bytes that turn out to be bad when they are read. Only some trainers, only sometimes.
    if (faulty && trainer === "t1" && this.#chance(0.1)) {
      this.#unusable++;
      this.#draw("T8");
      if (this.#chance(0.5)) return { ...result, loss: Number.NaN };
      const bad = nameOf("bad", lease.id);
      this.#objects.put(bad, this.events);
      this.#badObjects.add(bad);
      // The update's bytes, or those of the state that comes with it.
      return result.inner !== null && this.#chance(0.5) ? { ...result, delta, inner: [bad] } : { ...result, delta: [bad] };
    }
    return { ...result, delta };
  }

  /** Delivers some mail: late, in any order, again (T5, T6, T11). */
  #deliver(faulty: boolean): void {
    if (this.#mail.length === 0) return;
    const index = faulty ? Math.floor(this.#random() * this.#mail.length) : 0;
    const { submission } = this.#mail[index]!;
    if (!faulty || !this.#chance(0.3)) this.#mail.splice(index, 1);
    else this.#draw("T11");
    if (faulty && this.#chance(0.05)) this.#contradict(submission);
    this.#submit(faulty && this.#chance(0.05) ? this.#spoil(submission) : submission);
  }

  /** T7: another result for a task that has one, which must change nothing. */
  #contradict(submission: Submission): void {
    const { result, shard } = submission;
    const before = this.#state;
    if (result.kind !== "train" || before.slots[shard]?.result == null) return;
    this.#draw("T7");
    const other = { ...submission, result: { ...result, delta: [nameOf("other", submission.lease)] } };
    const { state, reply } = this.#protocol.submit(before, other, this.#now);
    if (reply.accepted) this.#fail("T7: a second, different result was accepted");
    if (state.slots !== before.slots) this.#fail("T7: a refused result changed a task");
    this.#store(state);
  }

  /** T13: a byte of the current checkpoint flips; whoever reads it tells, and the run goes back. */
  #flip(): void {
    const { base, good, rollbacks, spec } = this.#state;
    // What counts as a leap of the loss depends on the rounds before, which going back forgets.
    if (this.#scene.spikeRound >= 0) return;
    if (this.#pending !== null || good.checkpoint === base.checkpoint || rollbacks.length >= spec.supervision.rollbacks) return;
    this.#draw("T13");
    this.#store(this.#protocol.damaged(this.#state, base.checkpoint, DAMAGE));
  }

  /** T10: what does not belong here, which must be refused and change no result. */
  #spoil(submission: Submission): Submission {
    this.#draw("T10");
    const spoiled = spoilt(submission, this.#scene.spec.training.shards);
    this.#unusable++;
    return spoiled[Math.floor(this.#random() * spoiled.length)]!;
  }

  #submit(submission: Submission): void {
    const before = this.#state;
    const { state, reply } = this.#protocol.submit(before, submission, this.#now);
    if (reply.accepted && reply.duplicate) this.#draw("T6");
    if (!reply.accepted && reply.reason === "stale") this.#draw("T5");
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
      // The put fails and is tried again.
      if (faulty && this.#chance(0.1)) return this.#draw("T12");
      this.#objects.put(next, this.events);
      // It was stored but the reply is lost, so it is put once more.
      if (faulty && this.#chance(0.1)) return this.#draw("T12");
      puts.shift();
      return;
    }
    for (const name of [base.checkpoint, ...partsOf(base)]) {
      if (!this.#objects.has(name)) this.#fail(`I3: ${name} was committed before it was stored`);
      if (this.#badObjects.has(name)) this.#fail(`T8: unusable bytes became part of a checkpoint: ${name}`);
    }
    const before = this.#state;
    const after =
      kind === "reduce" ? this.#protocol.reduced(before, from, base, this.#now) : this.#protocol.rolledBack(before, from, base, reason);
    this.#store(after);
    if (this.#state !== after) return;
    // Now and then the report comes a second time, much later.
    if (!faulty || !this.#chance(0.1)) this.#pending = null;
    else this.#draw("T11");
    if (after === before) return;
    if (after.base.checkpoint !== base.checkpoint && !isOver(after)) this.#fail("I3: the pointer is not the checkpoint that was written");
    if (kind === "roll-back") {
      this.#consumed.dropFrom(base.round);
      // Damage takes the run back to a checkpoint that it had before, with its tasks open again.
      this.#acknowledged = null;
    }
    if (kind === "reduce") this.#consumed.add(before.base.round);
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
    // Reading an update fails: that is nobody's fault and changes nothing.
    if (this.#faulty && this.#chance(0.05)) return this.#draw("T12");
    const isLost = (name: string) => !this.#objects.has(name);
    const bad = results.findIndex((result) => namesIn(result).some((name) => this.#badObjects.has(name) || isLost(name)));
    if (bad >= 0) {
      // Its submission came so late that a collection had come before it.
      if (namesIn(results[bad]!).some(isLost)) this.#unusable++;
      this.#store(this.#protocol.reissue(this.#state, base.checkpoint, bad, "bad-delta", this.#now));
      // Bytes that turned out to be bad are taken back: that word is not broken by it.
      if (this.#acknowledged?.shard === bad) this.#acknowledged = null;
      return;
    }
    const next = checkpointAfter(base, results);
    this.#pending = { from: base.checkpoint, base: next, puts: [...next.weights, next.checkpoint], kind: "reduce", reason: "" };
  }

  /** The operator clears up; nothing is under way then, and what was submitted stays. */
  #collect(): void {
    if (this.#pending !== null) return;
    const results = this.#state.slots.flatMap(({ votes, result }) => [...votes.map((vote) => vote.result), result]);
    const there = results.flatMap(namesIn).filter((name) => this.#objects.has(name));
    this.#objects.collect(retainedHashes(this.#state), this.events);
    const lost = there.find((name) => !this.#objects.has(name));
    if (lost !== undefined) this.#fail(`I1: an acknowledged update was cleared away: ${lost}`);
    for (const name of retained(this.#state).flatMap(partsOf)) {
      if (!this.#objects.has(name)) this.#fail(`I3: a part of a kept checkpoint was cleared away: ${name}`);
    }
  }

  /** Time passes; T15: sometimes it jumps or stands still. */
  #tick(): void {
    const jump = this.#random();
    if (jump < 0.01 || jump >= 0.9) this.#draw("T15");
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
      if (this.#chance(0.003)) this.#flip();
      if (this.#chance(0.02)) this.#collect();
      // Who asks changes all the time: trainers stop and come back in any order, some names come once and never again.
      const isGuest = this.#chance(0.05);
      this.#draw(isGuest ? "T20" : "T19");
      const trainer = isGuest ? `guest${this.events}` : `t${Math.floor(this.#random() * this.#scene.trainers)}`;
      if (this.#chance(0.6)) this.#leaseAndWork(trainer, true);
      if (this.#chance(0.6)) this.#deliver(true);
      // An alarm that fails, or that nobody sets, leaves the work to the next who asks.
      if (this.#chance(0.8)) this.#work(true);
      else this.#draw("T14");
      checkAlways(this.#seen());
    }
    this.#faulty = false;
    this.#calm();
    if (checkEnd(this.#seen(), this.#protocol)) this.#consumed.check(this.#scene.spec.rounds);
  }

  /** Whether all who ask in calm times are shut out as liars: then nothing goes on by design until the operator says so. */
  #isDeserted(names: readonly string[]): boolean {
    return names.every((name) => (this.#state.trainers[name]?.strikes ?? 0) >= LIE_STRIKES);
  }

  /** I5: honest trainers poll each second; every round commits within two leases. */
  #calm(): void {
    const names = Array.from({ length: Math.max(2, this.#scene.trainers) }, (_, index) => `t${index}`);
    if (this.#isDeserted(names)) this.#store(this.#protocol.resumed(this.#state));
    let progress = `${this.#state.phase} ${this.#state.base.checkpoint}`;
    let since = this.#now;
    for (let event = 0; event < MAX_CALM_EVENTS && !isOver(this.#state); event++, this.events++) {
      this.#now += 1000;
      for (const name of names) this.#leaseAndWork(name, false);
      this.#deliver(false);
      this.#work(false);
      checkAlways(this.#seen());
      const current = `${this.#state.phase} ${this.#state.base.checkpoint}`;
      if (current !== progress) [progress, since] = [current, this.#now];
      if (this.#now - since > 2 * MAX_LEASE_MS)
        this.#fail(
          `I5: expected progress within two leases, got none in ${current}: ${JSON.stringify(this.#state.slots)} ${JSON.stringify(this.#state.trainers)} ${JSON.stringify(this.#scene.spec.supervision)} diverged ${this.#state.diverged}, pending ${JSON.stringify(this.#pending)}`,
        );
    }
  }
}

/** Runs one history. Throws a Violation that names the seed. Returns the number of events and of each fault. */
export function simulate(seed: number, protocol: Protocol): { events: number; drawn: Partial<Record<Fault, number>> } {
  const history = new History(seed, protocol);
  history.run();
  return { events: history.events, drawn: history.drawn };
}
