/** A value that a page asks for again and again while it is seen. A hidden tab asks for nothing. */
import { signal, type ReadonlySignal } from "@preact/signals";

export interface Polled<T> {
  /** The newest value; kept when later attempts fail. */
  value: ReadonlySignal<T | null>;
  /** The error of the last attempt. */
  error: ReadonlySignal<Error | null>;
  /** Asks now. */
  refresh(): void;
}

/** After a failure the next attempt comes sooner than usual, so that a page is live soon after its Workers are. */
const RETRY_MS = 1500;

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
