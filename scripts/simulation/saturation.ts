/**
 * Rounds of a run as a queue in front of one coordinator: the length of a round with N shards when every lease, submission
 * and reduction waits for its turn on one thread. Costs are measured (bench/support/coordinator-costs.ts); latencies of the
 * hosted platform are assumptions and printed with the result.
 */
import { createRandom } from "../../shared/model/random.ts";

/** Milliseconds of the coordinator's thread. Leases and submissions cost a + b N at N shards, because the state grows with the shards. */
export interface CoordinatorCosts {
  lease: (shards: number) => number;
  submit: (shards: number) => number;
  /** Checking and summing a megabyte of one shard's update. */
  reduceMsPerMB: number;
  /** Optimizer step, encoding and writing, once per round. */
  commitMs: number;
}

export interface Latencies {
  /** Trainer to coordinator and back. */
  rpcMs: number;
  readMs: number;
  writeMs: number;
  /** Transfer of a megabyte to or from storage. */
  msPerMB: number;
}

export interface Load {
  taskSeconds: number;
  /** Tasks take up to this share longer or shorter, evenly distributed. */
  jitter: number;
  deltaMB: number;
  innerMB: number;
  readAhead: number;
}

export interface RoundFigures {
  shards: number;
  secondsPerRound: number;
  /** Share of the round's wall clock in which trainers do not compute. */
  overhead: number;
  /** Milliseconds of the coordinator's thread per round. */
  coordinatorMs: number;
  /** Share of the round in which that thread is busy. */
  busy: number;
}

const ROUNDS = 5;

/** When a server that handles one request at a time finishes each of them, in order of arrival. */
function served(arrivals: readonly number[], cost: number): number[] {
  let free = 0;
  return arrivals
    .toSorted((a, b) => a - b)
    .map((arrival) => {
      free = Math.max(free, arrival) + cost;
      return free;
    });
}

/** Mean figures of some rounds with `shards` shards, one trainer per shard. */
export function simulateRounds(shards: number, costs: CoordinatorCosts, latencies: Latencies, load: Load): RoundFigures {
  const random = createRandom(shards);
  const { rpcMs, readMs, writeMs, msPerMB } = latencies;
  const [leaseMs, submitMs] = [costs.lease(shards), costs.submit(shards)];
  const upload = writeMs + Math.max(load.deltaMB, load.innerMB) * msPerMB;
  // A reduction reads an update, later the state that came with it.
  const read = 2 * readMs + (load.deltaMB + load.innerMB) * msPerMB;
  // Reading and summing overlap, so the slower of the two decides. `readAhead` reads run at the same time.
  const reduction =
    Math.max(shards * load.deltaMB * costs.reduceMsPerMB, (shards * read) / Math.min(shards, load.readAhead)) +
    costs.commitMs +
    2 * writeMs;
  const coordinatorMs = shards * (leaseMs + submitMs + load.deltaMB * costs.reduceMsPerMB) + costs.commitMs;
  let now = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const leases = served(
      Array.from({ length: shards }, () => now + rpcMs / 2),
      leaseMs,
    );
    const tasks = leases.map((lease) => {
      const computing = load.taskSeconds * 1000 * (1 + load.jitter * (2 * random() - 1));
      return lease + rpcMs / 2 + read + computing + upload + rpcMs / 2;
    });
    now = served(tasks, submitMs).at(-1)! + reduction;
  }
  const milliseconds = now / ROUNDS;
  return {
    shards,
    secondsPerRound: milliseconds / 1000,
    overhead: 1 - (load.taskSeconds * 1000) / milliseconds,
    coordinatorMs,
    busy: coordinatorMs / milliseconds,
  };
}
