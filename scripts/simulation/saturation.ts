/**
 * Models a round as a queue in front of one coordinator: the length of a round with N shards if every lease, submission and
 * reduction waits for one thread. The costs are measured (bench/support/coordinator-costs.ts). The latencies of the hosted
 * platform are assumptions; they are printed with the result.
 */
import { createRandom } from "../../shared/model/random.ts";

/**
 * Milliseconds of the coordinator's thread. At N shards a lease or a submission costs a + b N, because the state grows with
 * the shards.
 */
export interface CoordinatorCosts {
  lease: (shards: number) => number;
  submit: (shards: number) => number;
  /** Checking and summing one megabyte of a shard's update. */
  reduceMsPerMB: number;
  /** Optimizer step, encoding and writing, once per round. */
  commitMs: number;
}

export interface Latencies {
  /** From trainer to coordinator and back. */
  rpcMs: number;
  readMs: number;
  writeMs: number;
  /** Transfer of one megabyte to or from storage. */
  msPerMB: number;
}

export interface Load {
  taskSeconds: number;
  /** A task takes longer or shorter by at most this share, evenly distributed. */
  jitter: number;
  deltaMB: number;
  innerMB: number;
  readAhead: number;
}

export interface RoundFigures {
  shards: number;
  secondsPerRound: number;
  /** The share of the round's time in which trainers do not compute. */
  overhead: number;
  /** Milliseconds of the coordinator's thread per round. */
  coordinatorMs: number;
  /** The share of the round in which the coordinator's thread is busy. */
  busy: number;
}

const ROUNDS = 5;

/** The times at which a server finishes its requests, in order of arrival. It handles one request at a time. */
function served(arrivals: readonly number[], cost: number): number[] {
  let free = 0;
  return arrivals
    .toSorted((a, b) => a - b)
    .map((arrival) => {
      free = Math.max(free, arrival) + cost;
      return free;
    });
}

/** Mean figures of several rounds with `shards` shards and one trainer per shard. */
export function simulateRounds(shards: number, costs: CoordinatorCosts, latencies: Latencies, load: Load): RoundFigures {
  const random = createRandom(shards);
  const { rpcMs, readMs, writeMs, msPerMB } = latencies;
  const [leaseMs, submitMs] = [costs.lease(shards), costs.submit(shards)];
  const upload = writeMs + Math.max(load.deltaMB, load.innerMB) * msPerMB;
  // A reduction reads each update and later the optimizer state that came with it.
  const read = 2 * readMs + (load.deltaMB + load.innerMB) * msPerMB;
  // Reading and summing overlap, so the slower of the two counts. `readAhead` reads run at the same time.
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
