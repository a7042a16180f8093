/**
 * The state of one simulated history: the run's state in memory and on disk, the stored objects, the clock, and the past
 * events that the invariants need. All random numbers come from one generator, so a seed gives one history. Trainers and
 * network are in deliveries.ts, the run's effects in effects.ts, the order of events in simulate.ts.
 */
import { MAX_DURABLE_ROW_BYTES } from "../../shared/limits.ts";
import { createRandom } from "../../shared/model/random.ts";
import { ARITHMETIC } from "../../shared/training/protocol/arithmetic.ts";
import { initialState, partsOf, type Base, type RunState } from "../../shared/training/protocol/run-state.ts";
import { ConsumedWindows } from "./consumed-windows.ts";
import type { Fault } from "./faults.ts";
import type { Seen } from "./invariants.ts";
import { StoredObjects } from "./stored-objects.ts";
import { drawScene, firstBase, Violation, type Protocol, type Scene } from "./world.ts";

const HOUR_MS = 3_600_000;
const NEXT_VERSION = ARITHMETIC + 1;

/** An effect in progress: its objects are written one by one, then the reducer gets the report. */
export interface Pending {
  from: string;
  base: Base;
  puts: string[];
  kind: "reduce" | "roll-back";
  reason: string;
}

export class History {
  readonly protocol: Protocol;
  readonly scene: Scene;
  readonly random: () => number;
  readonly objects = new StoredObjects();
  /** Updates with corrupt bytes. Only a reader notices them. */
  readonly badObjects = new Set<string>();
  readonly consumed: ConsumedWindows;
  /** How often each fault has happened. */
  readonly drawn: Partial<Record<Fault, number>> = {};
  events = 0;
  now = 1_000_000_000;
  /** False in the calm at the end, when faults no longer happen. */
  faulty = true;
  /** The effect in progress. A crash loses it, because it is not stored. */
  pending: Pending | null = null;
  /** The last result that the run has acknowledged to a trainer. */
  acknowledged: { base: string; shard: number; delta: string } | null = null;
  /** The number of unusable results so far. */
  unusable = 0;
  /** The coordinator's version of the arithmetic. */
  version = ARITHMETIC;
  /** Trainers that have changed to the next version. */
  readonly #upgraded = new Set<string>();
  /** Updates of the next version. */
  readonly ofNextVersion = new Set<string>();
  #state: RunState;
  /** The stored rows. They survive a crash. */
  #disk: string;

  constructor(seed: number, protocol: Protocol) {
    this.protocol = protocol;
    this.scene = drawScene(seed);
    this.random = createRandom(seed * 7 + 1);
    this.consumed = new ConsumedWindows(this.scene.spec.training, (what) => this.fail(what));
    const base = firstBase(this.scene.spec);
    for (const name of [base.checkpoint, ...partsOf(base)]) this.objects.put(name, this.events);
    this.#state = initialState(this.scene.spec, base);
    this.#disk = JSON.stringify(this.#state);
  }

  get state(): RunState {
    return this.#state;
  }

  fail(what: string): never {
    throw new Violation(`seed ${this.scene.seed}, event ${this.events}: ${what}`);
  }

  /** Counts a fault. */
  draw(fault: Fault): void {
    this.drawn[fault] = (this.drawn[fault] ?? 0) + 1;
  }

  chance(probability: number): boolean {
    return this.random() < probability;
  }

  /** The values that the invariants check. */
  seen(): Seen {
    const { scene, state, objects, unusable } = this;
    return { scene, state, objects, unusable, fail: (what) => this.fail(what) };
  }

  /** Stores the next state in one transaction. Returns false if the transaction failed. */
  store(next: RunState): boolean {
    const json = JSON.stringify(next);
    // T17: after a failed transaction, memory and disk are as before.
    if (this.chance(0.01) && this.faulty) {
      this.draw("T17");
      return false;
    }
    if (json.length > MAX_DURABLE_ROW_BYTES) this.fail(`I8: expected a state below ${MAX_DURABLE_ROW_BYTES} bytes, got ${json.length}`);
    this.#state = next;
    const isChanged = json !== this.#disk;
    this.#disk = json;
    return isChanged;
  }

  /**
   * T2, T3: the Run object is evicted, perhaps during an effect. The effect is lost, and the objects that it has written stay
   * as orphans.
   */
  crash(): void {
    this.draw(this.pending === null ? "T2" : "T3");
    this.#state = this.protocol.restarted(JSON.parse(this.#disk) as RunState, this.version);
    this.pending = null;
    const { base } = this.#state;
    for (const name of [base.checkpoint, ...partsOf(base)]) {
      if (!this.objects.has(name)) this.fail(`I3: expected the current checkpoint to be complete, ${name} is missing`);
    }
    const result = this.acknowledged;
    if (result === null || base.checkpoint !== result.base || this.#state.phase !== "training") return;
    const slot = this.#state.slots[result.shard]!;
    const known = [...slot.votes.map((vote) => vote.result), slot.result];
    if (!known.some((each) => each?.kind === "train" && each.delta[0] === result.delta)) this.fail("I1: an acknowledged result is lost");
  }

  /** True once a deployment of the next version has begun. */
  get #isDeploying(): boolean {
    return this.scene.deployedAt !== null && (this.events >= this.scene.deployedAt || !this.faulty);
  }

  /** T21: the coordinator gets the next version, and its object restarts. After the faults have ended, this always happens. */
  deploy(): void {
    if (!this.#isDeploying || this.version === NEXT_VERSION || (this.faulty && !this.chance(0.05))) return;
    this.draw("T21");
    this.version = NEXT_VERSION;
    // Answers of the earlier version are dropped by design.
    this.acknowledged = null;
    this.crash();
  }

  /** A trainer's version, which changes once during a deployment. */
  versionOf(trainer: string): number {
    if (this.#isDeploying && (!this.faulty || this.chance(0.2))) this.#upgraded.add(trainer);
    return this.#upgraded.has(trainer) ? NEXT_VERSION : ARITHMETIC;
  }

  /** Moves the clock forward. T15: sometimes it jumps or stands still. */
  tick(): void {
    const jump = this.random();
    if (jump < 0.01 || jump >= 0.9) this.draw("T15");
    if (jump < 0.005) this.now -= HOUR_MS;
    else if (jump < 0.01) this.now += 24 * HOUR_MS;
    else if (jump < 0.9) this.now += this.random() * 20_000;
  }
}
