/** Reads a value again and again while the page is visible. A hidden tab reads nothing. */
import { signal, type ReadonlySignal } from "@preact/signals";

export interface Polled<T> {
  /** The newest value. It stays when later attempts fail. */
  value: ReadonlySignal<T | null>;
  /** The error of the last attempt. */
  error: ReadonlySignal<Error | null>;
  /** Reads the value now. */
  refresh(): void;
}

/** The wait after a failure. It is shorter than usual, so the page recovers soon after the Workers do. */
export const RETRY_MS = 1500;

export function poll<T>(read: () => Promise<T>, everyMs: number): Polled<T> {
  const value = signal<T | null>(null);
  const error = signal<Error | null>(null);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isReading = false;

  const look = async (): Promise<void> => {
    clearTimeout(timer);
    if (isReading || document.hidden) return;
    isReading = true;
    try {
      value.value = await read();
      error.value = null;
    } catch (caught) {
      error.value = caught as Error;
    }
    isReading = false;
    timer = setTimeout(look, error.value === null ? everyMs : Math.min(RETRY_MS, everyMs));
  };

  document.addEventListener("visibilitychange", () => void look());
  void look();
  return { value, error, refresh: () => void look() };
}
