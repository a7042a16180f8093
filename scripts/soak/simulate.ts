/**
 * `npm run soak -- simulate [--seeds N] [--first N] [--no-mutations] [--json]`: simulates histories of the training protocol
 * under faults, one per seed. Then it removes one safeguard at a time; the simulation must catch each such mutant.
 */
import * as protocol from "../../shared/training/protocol/run.ts";
import type { Print } from "../cli/runner.ts";
import { FAULTS } from "../simulation/faults.ts";
import { catchMutants } from "../simulation/mutants.ts";
import { simulate } from "../simulation/simulate.ts";
import { Violation } from "../simulation/world.ts";

const MUTANT_SEEDS = 200;
const REPORT_SEEDS = 1000;

export const FLAGS = { seeds: 10_000, first: 0, mutations: true };

export async function run({ seeds, first, mutations: mutate }: typeof FLAGS, print: Print): Promise<Record<string, unknown>> {
  const startedAt = Date.now();
  let events = 0;
  const faults = Object.fromEntries(FAULTS.map((fault) => [fault, 0]));
  for (let seed = first; seed < first + seeds; seed++) {
    try {
      const history = simulate(seed, protocol);
      events += history.events;
      for (const [fault, times] of Object.entries(history.drawn)) faults[fault]! += times;
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      print(`${error.message}\nRepeat it with: npm run soak -- simulate --first ${seed} --seeds 1`);
      return { seeds: seed - first + 1, violation: error.message, ok: false };
    }
    const done = seed - first + 1;
    if (done % REPORT_SEEDS === 0) print(`${done} of ${seeds} seeds, ${Math.round((done * 1000) / (Date.now() - startedAt))} a second`);
  }
  const seconds = (Date.now() - startedAt) / 1000;
  const mutations = mutate ? await catchMutants(MUTANT_SEEDS) : {};
  for (const [name, seed] of Object.entries(mutations))
    print(`without ${name}: ${seed === null ? "not caught" : `caught at seed ${seed}`}`);
  const ok = events > 0 && Object.values(mutations).every((seed) => seed !== null);
  return { seeds, events, faults, violations: 0, seconds, mutationsCaughtAtSeed: mutations, ok };
}
