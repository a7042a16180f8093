/** Checks the data order: the committed rounds of a history read every window exactly once per epoch. */
import type { TrainingConfig } from "../../shared/config.ts";
import { sequencesOf, exampleOf } from "../../shared/training/compute/data-order.ts";

/** The number of training windows in the simulated data. It is small, so that a run has several epochs. */
const WINDOWS = 29;

export class ConsumedWindows {
  readonly #training: TrainingConfig;
  readonly #fail: (what: string) => never;
  /** For each round, the sequence numbers that the current line of checkpoints has consumed. */
  readonly #rounds = new Map<number, [first: number, end: number][]>();

  /** `fail` gets a description of the violation and throws. */
  constructor(training: TrainingConfig, fail: (what: string) => never) {
    this.#training = training;
    this.#fail = fail;
  }

  /** Adds a committed round. */
  add(round: number): void {
    if (this.#rounds.has(round)) this.#fail(`I2: round ${round} was committed twice`);
    this.#rounds.set(
      round,
      Array.from({ length: this.#training.shards }, (_, shard) => sequencesOf(this.#training, round, shard)),
    );
  }

  /** Forgets this round and later rounds after a rollback: they will be committed again. */
  dropFrom(round: number): void {
    for (const key of this.#rounds.keys()) if (key >= round) this.#rounds.delete(key);
  }

  /** Checks all epochs at the end of a run of `rounds` rounds. */
  check(rounds: number): void {
    const { seed, steps, batch, shards } = this.#training;
    const ranges = [...this.#rounds].toSorted(([a], [b]) => a - b).flatMap(([, ofRound]) => ofRound);
    const epochs: Set<number>[] = [];
    for (const [first, end] of ranges) {
      for (let sequence = first; sequence < end; sequence++) {
        const epoch = (epochs[Math.floor(sequence / WINDOWS)] ??= new Set());
        const window = exampleOf(seed, sequence, WINDOWS);
        if (epoch.has(window)) this.#fail(`data order: window ${window} was read twice in an epoch`);
        epoch.add(window);
      }
    }
    const total = rounds * (steps === 1 ? batch : batch * steps * shards);
    for (let epoch = 0; epoch * WINDOWS < total; epoch++) {
      const expected = Math.min(WINDOWS, total - epoch * WINDOWS);
      if (epochs[epoch]?.size !== expected)
        this.#fail(`data order: expected ${expected} windows in epoch ${epoch}, got ${epochs[epoch]?.size ?? 0}`);
    }
  }
}
