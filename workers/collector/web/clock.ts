/** Time as the collector sees it. Tests put a clock here that they can move; nothing else replaces it. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  wait(ms: number): Promise<void>;
  /** Aborts what takes longer. */
  timeout(ms: number): AbortSignal;
}

export const SYSTEM_CLOCK: Clock = {
  now: () => Date.now(),
  wait: (ms) => scheduler.wait(ms),
  timeout: (ms) => AbortSignal.timeout(ms),
};
