/**
 * Trainers, and the network between them and the run. A trainer leases a task and answers it. Its submission waits in the mail
 * until it is delivered: late, out of order, twice, spoilt, or never. This file checks what a submission may change.
 */
import { ARITHMETIC } from "../../shared/training/protocol/arithmetic.ts";
import type { Lease, Submission, TaskResult } from "../../shared/training/protocol/task.ts";
import { spoilt } from "./faults.ts";
import type { History } from "./history.ts";
import { answer, honest, nameOf } from "./world.ts";

export class Deliveries {
  readonly #history: History;
  readonly #mail: Submission[] = [];
  /** The number of requested leases. It gives each lease its id. */
  #asked = 0;

  constructor(history: History) {
    this.#history = history;
  }

  /** A trainer requests a lease and puts its answer into the mail. */
  leaseAndWork(trainer: string): void {
    const history = this.#history;
    const { now, scene, faulty } = history;
    const version = history.versionOf(trainer);
    const versions = { trainer: version, coordinator: history.version };
    const given = history.protocol.lease(history.state, trainer, `l${this.#asked++}`, now, versions);
    if (given.lease === null) {
      if (given.state !== history.state) history.store(given.state);
      return;
    }
    if (version !== history.version) history.fail("T21: a trainer of another version got a task");
    const others = history.state.slots[given.lease.task.shard]!.leases.filter(
      ({ givenAt, expiresAt }) => givenAt <= now && now < expiresAt,
    );
    const audited = scene.spec.supervision.audit > 0;
    if (!audited && others.length > 0) history.fail("a task was leased while another lease on it lives");
    // If the transaction failed, the lease is not sent.
    if (!history.store(given.state)) return;
    // The trainer dies, and its lease stays unanswered.
    if (faulty && history.chance(0.15)) return history.draw("T4");
    if (faulty && history.chance(0.05)) return this.#giveBack(given.lease);
    this.#mail.push(answer(given.lease, trainer, this.#resultOf(given.lease, trainer, version)));
  }

  /** T22: a task that is given back is open again at once. The same call again changes nothing more. */
  #giveBack({ id, task: { shard } }: Lease): void {
    const history = this.#history;
    history.draw("T22");
    const again = history.protocol.released(history.state, shard, id, history.now);
    if (history.protocol.released(again, shard, id, history.now) !== again) history.fail("T22: a lease was given back twice");
    history.store(again);
  }

  #resultOf(lease: Lease, trainer: string, version: number): TaskResult {
    const history = this.#history;
    const { scene, objects, events, faulty } = history;
    const result = honest(scene, lease, version);
    if (result.kind !== "train") return result;
    if (version !== ARITHMETIC) history.ofNextVersion.add(result.delta[0]!);
    const liar = scene.byzantine && trainer === "t0";
    if (liar) history.draw("T9");
    const delta = liar ? [nameOf("lie", lease.id)] : result.delta;
    for (const name of [...delta, ...(result.inner ?? [])]) objects.put(name, events);
    // T8, T12, T13: numbers that are not finite, or corrupt bytes, which are noticed when they are read. Only trainer t1 sends
    // them, and only sometimes.
    if (!faulty || trainer !== "t1" || !history.chance(0.1)) return { ...result, delta };
    history.unusable++;
    history.draw("T8");
    if (history.chance(0.5)) return { ...result, loss: Number.NaN };
    const bad = nameOf("bad", lease.id);
    objects.put(bad, events);
    history.badObjects.add(bad);
    // The corrupt bytes are the update or the optimizer state that comes with it.
    return result.inner !== null && history.chance(0.5) ? { ...result, delta, inner: [bad] } : { ...result, delta: [bad] };
  }

  /** Delivers one submission. Faults T5, T6, T11: late, in any order, or once more later. */
  deliver(): void {
    const history = this.#history;
    const { faulty } = history;
    if (this.#mail.length === 0) return;
    const index = faulty ? Math.floor(history.random() * this.#mail.length) : 0;
    const submission = this.#mail[index]!;
    if (!faulty || !history.chance(0.3)) this.#mail.splice(index, 1);
    else history.draw("T11");
    if (faulty && history.chance(0.05)) this.#contradict(submission);
    this.#submit(faulty && history.chance(0.05) ? this.#spoil(submission) : submission);
  }

  /** T7: a second, different result for a task must change nothing. */
  #contradict(submission: Submission): void {
    const history = this.#history;
    const { result, shard } = submission;
    const before = history.state;
    if (result.kind !== "train" || before.slots[shard]?.result == null) return;
    history.draw("T7");
    const other = { ...submission, result: { ...result, delta: [nameOf("other", submission.lease)] } };
    const { state, reply } = history.protocol.submit(before, other, history.now, history.version);
    if (reply.accepted) history.fail("T7: a second, different result was accepted");
    if (state.slots !== before.slots) history.fail("T7: a refused result changed a task");
    history.store(state);
  }

  /** T10: a misplaced or malformed submission must be refused and change no result. */
  #spoil(submission: Submission): Submission {
    const history = this.#history;
    history.draw("T10");
    const spoiled = spoilt(submission, history.scene.spec.training.shards);
    history.unusable++;
    return spoiled[Math.floor(history.random() * spoiled.length)]!;
  }

  #submit(submission: Submission): void {
    const history = this.#history;
    const before = history.state;
    const { state, reply } = history.protocol.submit(before, submission, history.now, history.version);
    if (reply.accepted && reply.duplicate) history.draw("T6");
    if (!reply.accepted && reply.reason === "stale") history.draw("T5");
    const isMisplaced =
      submission.run !== before.spec.run || submission.base !== before.base.checkpoint || submission.round !== before.base.round;
    if (isMisplaced && reply.accepted) history.fail("I2: a result of another round or base was accepted");
    const { result, shard } = submission;
    if (result.kind === "train" && reply.accepted && !Number.isFinite(result.loss))
      history.fail("T8: a result that is not finite was accepted");
    const known = before.slots[shard]?.result;
    if (reply.accepted && !reply.duplicate && known != null) history.fail("I2: a second result of a shard was applied");
    if (reply.accepted && known != null && state.slots[shard]?.result !== known) history.fail("I2: an applied result was replaced");
    if (reply.accepted && !reply.duplicate && state.spentMs < before.spentMs) history.fail("T15: spent time decreased");
    if (history.store(state) && reply.accepted && result.kind === "train") {
      history.acknowledged = { base: submission.base, shard, delta: result.delta[0]! };
    }
  }
}
