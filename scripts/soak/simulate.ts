/**
 * `npm run soak -- simulate [--seeds N] [--first N] [--no-mutations] [--json]`: seeded histories of the training
 * protocol under faults, then the same with one safeguard removed at a time: each such mutant must be caught.
 */
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import * as protocol from "../../shared/training/protocol/run.ts";
import type { Print } from "../cli/runner.ts";
import { FAULTS } from "../simulation/faults.ts";
import { simulate } from "../simulation/simulate.ts";
import { Violation, type Protocol } from "../simulation/world.ts";
import { ROOT } from "../local/workers.ts";

const FOLDER = join("workers", "coordinator");
const MUTANTS = join(ROOT, ".tiffin", "mutants");
const MUTANT_SEEDS = 200;

/** The safeguards: a piece of the source that stands there exactly once, and what it is replaced with. */
const MUTATIONS: Readonly<Record<string, { file: string; from: string; to: string }>> = {
  "idempotency key": { file: "run.ts", from: "if (earlier !== null) {", to: "if (earlier === undefined) {" },
  "base-hash check": {
    file: "run.ts",
    from: 'submission.round !== state.base.round || submission.base !== state.base.checkpoint) return refuse("stale")',
    to: 'submission.round > state.base.round) return refuse("stale")',
  },
  "lease expiry": { file: "trainers.ts", from: "return givenAt <= now && now < expiresAt;", to: "return givenAt <= expiresAt;" },
  "finiteness check": {
    file: "run.ts",
    from: "if (!numbers.every((value) => Number.isFinite(value) && value >= 0))",
    to: "if (numbers.length === 0)",
  },
  "one vote per trainer": {
    file: "run.ts",
    from: "slot.votes.find((vote) => vote.trainer === given.trainer)",
    to: "slot.votes.find((vote) => vote.lease === given.id)",
  },
  "commit order": {
    file: "run.ts",
    from: 'if (state.phase !== "training" || from !== state.base.checkpoint || !isRoundComplete(state)) return state;',
    to: "if (!isRoundComplete(state)) return state;",
  },
};

/** Loads the protocol with one safeguard removed, from a copy of its sources. */
async function loadMutant(name: string): Promise<Protocol> {
  const { file, from, to } = MUTATIONS[name]!;
  const folder = join(MUTANTS, name.replaceAll(/\W+/g, "-"));
  mkdirSync(join(folder, FOLDER), { recursive: true });
  symlinkSync(join(ROOT, "shared"), join(folder, "shared"));
  cpSync(join(ROOT, FOLDER), join(folder, FOLDER), { recursive: true });
  const path = join(folder, FOLDER, file);
  const source = readFileSync(path, "utf8");
  if (source.split(from).length !== 2)
    throw new Error(`mutation ${name}: expected its text once in ${file}, found it ${source.split(from).length - 1} times: ${from}`);
  writeFileSync(path, source.replace(from, to));
  return (await import(pathToFileURL(join(folder, FOLDER, "run.ts")).href)) as Protocol;
}

/** The first seed at which a mutant is caught, or null. */
function firstCaught(mutant: Protocol): number | null {
  for (let seed = 0; seed < MUTANT_SEEDS; seed++) {
    try {
      simulate(seed, mutant);
    } catch {
      // A crash of the mutant is as good as a violation: nobody would ship it.
      return seed;
    }
  }
  return null;
}

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
      print(`${error.message}\nagain: npm run soak -- simulate --first ${seed} --seeds 1`);
      return { seeds: seed - first + 1, violation: error.message, ok: false };
    }
    if ((seed - first + 1) % 1000 === 0)
      print(`${seed - first + 1} of ${seeds} seeds, ${Math.round((seed - first + 1) / ((Date.now() - startedAt) / 1000))} a second`);
  }
  const seconds = (Date.now() - startedAt) / 1000;
  const mutations: Record<string, number | null> = {};
  if (mutate) {
    rmSync(MUTANTS, { recursive: true, force: true });
    for (const name of Object.keys(MUTATIONS)) {
      mutations[name] = firstCaught(await loadMutant(name));
      print(`without ${name}: ${mutations[name] === null ? "not caught" : `caught at seed ${mutations[name]}`}`);
    }
    rmSync(MUTANTS, { recursive: true, force: true });
  }
  const ok = events > 0 && Object.values(mutations).every((seed) => seed !== null);
  return { seeds, events, faults, violations: 0, seconds, mutationsCaughtAtSeed: mutations, ok };
}
