/**
 * Chooses the training examples of a step: a pure function of (seed, sequence number). Sequence numbers count up during the
 * whole run. Each epoch reads every example exactly once, in a new order. Failures and retries do not change the order.
 *
 * The order is a Feistel permutation with cycle walking (Black and Rogaway, 2002), so no list of examples is stored.
 */

import type { TrainingConfig } from "../../config.ts";

const FEISTEL_ROUNDS = 4;

/** The example to read at a sequence number. `examples` is the number of examples. */
export function exampleOf(seed: number, sequence: number, examples: number): number {
  if (examples < 1) throw new Error(`data order: expected at least one example, got ${examples}`);
  const epoch = Math.floor(sequence / examples);
  return permute(sequence % examples, examples, mix(seed, epoch));
}

/** A permutation of 0..size-1 that depends on the key. */
export function permute(index: number, size: number, key: number): number {
  const halfBits = Math.max(1, Math.ceil(Math.log2(Math.max(2, size)) / 2));
  const mask = 2 ** halfBits - 1;
  let value = index;
  do {
    let left = value >>> halfBits;
    let right = value & mask;
    for (let round = 0; round < FEISTEL_ROUNDS; round++) [left, right] = [right, left ^ (mix(key + round, right) & mask)];
    value = left * 2 ** halfBits + right;
  } while (value >= size);
  return value;
}

/** A 32-bit hash of two numbers (the finalizer of MurmurHash3). */
function mix(a: number, b: number): number {
  let hash = (Math.imul(a, 0x9e3779b1) ^ Math.imul(b + 0x7f4a7c15, 0x85ebca6b)) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** The part of 0..count-1 that belongs to a shard: [first, end). The sizes of two shards differ by at most 1. */
export function shardRange(count: number, shard: number, shards: number): [first: number, end: number] {
  return [Math.floor((count * shard) / shards), Math.floor((count * (shard + 1)) / shards)];
}

/**
 * The sequence numbers [first, end) of a shard's task. With `steps` = 1, the range is the shard's part of the round's batch.
 * With `steps` > 1, the range holds the batches of all the task's steps. The ranges of all shards and rounds are consecutive,
 * without gap or overlap.
 */
export function sequencesOf({ batch, shards, steps }: TrainingConfig, round: number, shard: number): [first: number, end: number] {
  if (steps > 1) return [(round * shards + shard) * steps * batch, (round * shards + shard + 1) * steps * batch];
  const [first, end] = shardRange(batch, shard, shards);
  return [round * batch + first, round * batch + end];
}
