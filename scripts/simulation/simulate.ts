/**
 * Runs one history of a training run under faults, from a seed. After every event it checks the invariants I1-I5 and I8 of the
 * reliability design. Equal seeds give equal histories, and a violation names its seed. Some faults need more than the reducer
 * and are tested elsewhere: T1 in soak/kill.ts, T16 and the real bytes of T13 in the pipeline tests, T18 in the tests of
 * stored formats.
 */
import { isOver } from "../../shared/training/protocol/run-state.ts";
import { LIE_STRIKES, MAX_LEASE_MS } from "../../shared/training/protocol/leases.ts";
import { Deliveries } from "./deliveries.ts";
import { collectGarbage, flipByte, work } from "./effects.ts";
import type { Fault } from "./faults.ts";
import { History } from "./history.ts";
import { checkAlways, checkEnd } from "./invariants.ts";
import type { Protocol } from "./world.ts";

const MAX_EVENTS = 300;
/** The most events of the calm after the last fault. In each event, one trainer polls once. */
const MAX_CALM_EVENTS = 20_000;

/** Runs one history. Throws a Violation that names the seed. Returns the number of events and the number of each fault. */
export function simulate(seed: number, protocol: Protocol): { events: number; drawn: Partial<Record<Fault, number>> } {
  const history = new History(seed, protocol);
  const deliveries = new Deliveries(history);
  disturb(history, deliveries);
  history.faulty = false;
  calm(history, deliveries);
  if (checkEnd(history.seen(), protocol)) history.consumed.check(history.scene.spec.rounds);
  return { events: history.events, drawn: history.drawn };
}

/** Runs events with faults of every kind. */
function disturb(history: History, deliveries: Deliveries): void {
  const count = 20 + Math.floor(history.random() * (MAX_EVENTS - 20));
  for (history.events = 0; history.events < count && !isOver(history.state); history.events++) {
    history.tick();
    if (history.chance(0.03)) history.crash();
    history.deploy();
    if (history.chance(0.003)) flipByte(history);
    if (history.chance(0.02)) collectGarbage(history);
    // Trainers come and go in any order. T20: some names come once and never again.
    const isGuest = history.chance(0.05);
    history.draw(isGuest ? "T20" : "T19");
    const trainer = isGuest ? `guest${history.events}` : `t${Math.floor(history.random() * history.scene.trainers)}`;
    if (history.chance(0.6)) deliveries.leaseAndWork(trainer);
    if (history.chance(0.6)) deliveries.deliver();
    // T14: an alarm fails or is never set, so the work waits for the next caller.
    if (history.chance(0.8)) work(history);
    else history.draw("T14");
    checkAlways(history.seen());
  }
}

/** I5: honest trainers poll every second. Every round must be committed within two leases. */
function calm(history: History, deliveries: Deliveries): void {
  const names = Array.from({ length: Math.max(2, history.scene.trainers) }, (_, index) => `t${index}`);
  // If every trainer is shut out as a liar, the run stops by design until the operator resumes it.
  const isDeserted = names.every((name) => (history.state.trainers[name]?.strikes ?? 0) >= LIE_STRIKES);
  if (isDeserted) history.store(history.protocol.resumed(history.state));
  let progress = `${history.state.phase} ${history.state.base.checkpoint}`;
  let since = history.now;
  for (let event = 0; event < MAX_CALM_EVENTS && !isOver(history.state); event++, history.events++) {
    history.now += 1000;
    history.deploy();
    for (const name of names) deliveries.leaseAndWork(name);
    deliveries.deliver();
    work(history);
    checkAlways(history.seen());
    const { state, now, pending } = history;
    const current = `${state.phase} ${state.base.checkpoint}`;
    if (current !== progress) [progress, since] = [current, now];
    if (now - since > 2 * MAX_LEASE_MS) {
      const { slots, trainers, spec, diverged } = state;
      const details = JSON.stringify({ slots, trainers, supervision: spec.supervision, diverged, pending });
      history.fail(`I5: expected progress within two leases, got none in ${current}: ${details}`);
    }
  }
}
