/**
 * Rounds of a run as a queue before one coordinator: what a round takes with N shards when every lease, submission and
 * reduction waits its turn on one thread. Costs are measured (scripts/coordinator-costs.ts), latencies of the hosted
 * platform are assumptions and are printed with the result.
 */
import { createRandom } from "../../shared/model/random.ts";

/** One thread's milliseconds, at N shards: a + b N each, because state and bookkeeping grow with the shards. */
export interface CoordinatorCosts {
  lease: (shards: number) => number;
  submit: (shards: number) => number;
  /** Check and sum of a megabyte of one shard's update. */
  reduceMsPerMB: number;
  /** Step of the optimizer, encoding and writing, per round. */
  commitMs: number;
}

export interface Latencies {
  /** Trainer to coordinator and back. */
  rpcMs: number;
  readMs: number;
  writeMs: number;
  /** Of storage, per megabyte, read or written. */
  msPerMB: number;
}

export interface Load {
  taskSeconds: number;
  /** Tasks take so much longer or shorter, evenly spread. */
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
  /** Share of the round in which that thread is at work. */
  busy: number;
}

const ROUNDS = 5;

/** Times at which a server that takes one request after the other is done with each of them, in order of arrival. */
function served(arrivals: readonly number[], cost: number): number[] {
  let free = 0;
  return arrivals
    .toSorted((a, b) => a - b)
    .map((arrival) => {
      free = Math.max(free, arrival) + cost;
      return free;
    });
}

/** Mean figures of some rounds with so many shards, each with a trainer of its own. */
export function simulateRounds(shards: number, costs: CoordinatorCosts, latencies: Latencies, load: Load): RoundFigures {
  const random = createRandom(shards);
  const { rpcMs, readMs, writeMs, msPerMB } = latencies;
  const [leaseMs, submitMs] = [costs.lease(shards), costs.submit(shards)];
  const upload = writeMs + Math.max(load.deltaMB, load.innerMB) * msPerMB;
  // An update is read, later the state that comes with it.
  const read = 2 * readMs + (load.deltaMB + load.innerMB) * msPerMB;
  // Reading and summing overlap; the slower of the two decides. What one reader at a time cannot do, `readAhead` can.
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
