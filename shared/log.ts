/** Structured logs: one line of JSON per event. The ids in a line show which lines of different Workers belong together. */
// oxlint-disable no-console -- every other line that a Worker logs goes through here

export interface LogFields {
  /** A request at the gateway. */
  request?: string | undefined;
  run?: string | undefined;
  round?: number | undefined;
  shard?: number | undefined;
  trainer?: string | undefined;
  /** A crawl. Its id connects a request with the pages that it caused. */
  crawl?: string | undefined;
  /** The stack of an unexpected error. */
  stack?: string | undefined;
}

/** Writes a line. A field that is undefined is left out. */
export function log(level: "info" | "warn" | "error", message: string, fields: LogFields = {}): void {
  console[level](JSON.stringify({ level, message, ...fields }));
}

/** An error's message and stack. Log the stack only for unexpected errors, where it shows the faulty line of code. */
export function stackOf(error: unknown): { stack: string } {
  return { stack: (error instanceof Error ? error.stack : undefined) ?? String(error) };
}
