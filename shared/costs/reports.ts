/** The reports that runs and generators send to the ledger. */
import type { Latencies } from "./latency.ts";
import type { Usage } from "./usage.ts";

/** The work of a generator's isolate since its last report. */
export interface AnswerReport {
  answers: number;
  tokens: number;
  usage: Usage;
  latencies: Latencies;
  /** Size of the database of answers; 0 while unknown. */
  d1Bytes: number;
}

/** A run's usage since its last report, and its total progress. */
export interface RunReport {
  run: string;
  usage: Usage;
  round: number;
  tokens: number;
  /** The number of submissions that were refused or were duplicates. */
  refused: number;
  /** How long the last message waited for a trainer; null if none has come. */
  queueAgeMs: number | null;
  /** A text that changes whenever the run makes progress. */
  position: string;
  /** True while the run should make progress: it is neither over nor paused. */
  isOpen: boolean;
  error: string | null;
}
