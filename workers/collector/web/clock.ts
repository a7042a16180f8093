/** The collector's clock. Tests replace it with a clock that they can move. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  wait(ms: number): Promise<void>;
  /** A signal that aborts after `ms`. */
  timeout(ms: number): AbortSignal;
}

export const SYSTEM_CLOCK: Clock = {
  now: () => Date.now(),
  wait: (ms) => scheduler.wait(ms),
  timeout: (ms) => AbortSignal.timeout(ms),
};
