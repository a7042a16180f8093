/** What runs and generators tell the ledger. */
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

/** What a run has used since its last report, and where it stands in all. */
export interface RunReport {
  run: string;
  usage: Usage;
  round: number;
  tokens: number;
  /** Submissions that were refused or came twice. */
  refused: number;
  /** How long the last message waited for a trainer; null if none has come. */
  queueAgeMs: number | null;
  /** Changes with every progress. */
  position: string;
  /** True while the run should make progress: it is neither over nor paused. */
  isOpen: boolean;
  error: string | null;
}
