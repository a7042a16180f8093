/** Time as the collector sees it. Tests put a clock here that they can move; nothing else replaces it. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  wait(ms: number): Promise<void>;
}

export const SYSTEM_CLOCK: Clock = { now: () => Date.now(), wait: (ms) => scheduler.wait(ms) };
