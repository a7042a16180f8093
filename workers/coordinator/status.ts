/** What `GET /runs/:id` shows; null where it is not known yet. */
import type { Hash } from "../../shared/artifacts.ts";

export interface RunStatus {
  id: string;
  state: "preparing" | "training" | "evaluating" | "done" | "failed";
  stage: string;
  progress: { stage: string; done: number; total: number };
  preset: string | null;
  parameters: number | null;
  vocabSize: number | null;
  shards: number | null;
  /** Local steps per round. */
  steps: number | null;
  round: number | null;
  rounds: number | null;
  tokens: number | null;
  totalTokens: number | null;
  tokensPerSecond: number | null;
  secondsLeft: number | null;
  losses: { round: number; loss: number }[];
  firstLoss: number | null;
  /** Nats per validation token. */
  valLoss: number | null;
  unigramLoss: number | null;
  trigramLoss: number | null;
  bitsPerByte: number | null;
  checkpoint: Hash | null;
  /** Submissions that came twice or were refused, by reason. */
  counts: Record<string, number>;
  error: string | null;
}
