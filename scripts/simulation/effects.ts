/**
 * The run's effects, step by step, as the run's shell performs them: objects are written first, then the reducer gets the
 * report. Between two steps anything may happen: a crash, a garbage collection, damage to a stored byte.
 */
import { isOver, namesIn, partsOf, retained, retainedHashes, trainResults } from "../../shared/training/protocol/run-state.ts";
import type { History } from "./history.ts";
import { DAMAGE } from "./invariants.ts";
import { checkpointAfter, rolledBackTo } from "./world.ts";

/** Does one step: begins an effect, writes one of its objects, or reports it. */
export function work(history: History): void {
  const { pending, objects, faulty } = history;
  if (pending === null) return begin(history);
  const next = pending.puts[0];
  if (next === undefined) return report(history);
  // The write fails and is tried again.
  if (faulty && history.chance(0.1)) return history.draw("T12");
  objects.put(next, history.events);
  // The object was stored, but the reply was lost. So the object is written once more.
  if (faulty && history.chance(0.1)) return history.draw("T12");
  pending.puts.shift();
}

function begin(history: History): void {
  const { protocol, scene, state, objects, badObjects } = history;
  const effect = protocol.effectOf(state);
  if (effect === null) return;
  const { base } = state;
  if (effect.kind === "roll-back") {
    const to = rolledBackTo(effect.to, effect.lrScale);
    history.pending = { from: base.checkpoint, base: to, puts: [to.checkpoint], kind: effect.kind, reason: effect.reason };
    return;
  }
  const results = trainResults(state);
  // Reading an update fails. No trainer is blamed, and nothing changes.
  if (history.faulty && history.chance(0.05)) return history.draw("T12");
  const isMissing = (name: string) => !objects.has(name);
  const bad = results.findIndex((result) => namesIn(result).some((name) => badObjects.has(name) || isMissing(name)));
  if (bad >= 0) {
    // A garbage collection had deleted the objects before the submission came.
    if (namesIn(results[bad]!).some(isMissing)) history.unusable++;
    history.store(protocol.reissue(state, base.checkpoint, bad, "bad-delta", history.now));
    // I1 does not cover corrupt bytes: the run may drop an acknowledged result that cannot be read.
    if (history.acknowledged?.shard === bad) history.acknowledged = null;
    return;
  }
  if (!scene.byzantine && new Set(results.map(({ delta }) => history.ofNextVersion.has(delta[0]!))).size > 1)
    history.fail("T21: the updates of a round have two versions");
  const next = checkpointAfter(base, results);
  history.pending = { from: base.checkpoint, base: next, puts: [...next.weights, next.checkpoint], kind: "reduce", reason: "" };
}

/** When all objects of the pending effect are written, sends its report to the reducer. */
function report(history: History): void {
  const { protocol, objects, badObjects, consumed, now } = history;
  const { kind, from, base, reason } = history.pending!;
  for (const name of [base.checkpoint, ...partsOf(base)]) {
    if (!objects.has(name)) history.fail(`I3: ${name} was committed before it was stored`);
    if (badObjects.has(name)) history.fail(`T8: unusable bytes became part of a checkpoint: ${name}`);
  }
  const before = history.state;
  const after = kind === "reduce" ? protocol.reduced(before, from, base, now) : protocol.rolledBack(before, from, base, reason);
  history.store(after);
  if (history.state !== after) return;
  // Sometimes the same report comes again, much later.
  if (!history.faulty || !history.chance(0.1)) history.pending = null;
  else history.draw("T11");
  if (after === before) return;
  if (after.base.checkpoint !== base.checkpoint && !isOver(after)) history.fail("I3: the pointer is not the checkpoint that was written");
  if (kind === "reduce") return consumed.add(before.base.round);
  consumed.dropFrom(base.round);
  // After damage the run returns to an earlier checkpoint, and the tasks of that checkpoint are open again.
  history.acknowledged = null;
}

/** T13: a byte of the current checkpoint flips. The next reader reports it, and the run goes back to an earlier checkpoint. */
export function flipByte(history: History): void {
  const { base, rollbackPoint, rollbacks, spec } = history.state;
  // Histories with a loss spike are skipped: the spike is judged by the rounds before it, and a rollback forgets these rounds.
  if (history.scene.spikeRound >= 0) return;
  if (history.pending !== null || rollbackPoint.checkpoint === base.checkpoint || rollbacks.length >= spec.supervision.rollbacks) return;
  history.draw("T13");
  history.store(history.protocol.damaged(history.state, base.checkpoint, DAMAGE));
}

/** The operator collects garbage. No effect is in progress then, and submitted results stay. */
export function collectGarbage(history: History): void {
  const { state, objects } = history;
  if (history.pending !== null) return;
  const results = state.slots.flatMap(({ votes, result }) => [...votes.map((vote) => vote.result), result]);
  const stored = results.flatMap(namesIn).filter((name) => objects.has(name));
  objects.collect(retainedHashes(state), history.events);
  const lost = stored.find((name) => !objects.has(name));
  if (lost !== undefined) history.fail(`I1: an acknowledged update was collected: ${lost}`);
  for (const name of retained(state).flatMap(partsOf)) {
    if (!objects.has(name)) history.fail(`I3: a part of a kept checkpoint was collected: ${name}`);
  }
}
