/**
 * A histogram of latencies in Prometheus' form: for each bound, the number of latencies up to the bound.
 * prometheus.io/docs/concepts/metric_types/#histogram
 */

/** The bounds in seconds. */
export const LATENCY_BOUNDS = [0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32] as const;

/** One count per bound, and the sum of all seconds. */
export interface Latencies {
  counts: number[];
  sum: number;
}

export const noLatencies = (): Latencies => ({ counts: LATENCY_BOUNDS.map(() => 0), sum: 0 });

export const sumOf = (a: Latencies, b: Latencies): Latencies => ({
  counts: a.counts.map((count, index) => count + b.counts[index]!),
  sum: a.sum + b.sum,
});

export function addLatency({ counts, sum }: Latencies, seconds: number): Latencies {
  return { counts: counts.map((count, index) => count + (seconds <= LATENCY_BOUNDS[index]! ? 1 : 0)), sum: sum + seconds };
}
