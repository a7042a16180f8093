/**
 * A run's progress as server-sent events, from the Run object. An invocation that polled the status would reach its limit of
 * subrequests after an hour and end without an error event.
 */
import type { RunEvent, RunStatus } from "../../shared/contracts/runs.ts";
import { eventStream, type Sent } from "../../shared/event-stream.ts";

const OVER: ReadonlySet<RunStatus["state"]> = new Set(["done", "failed"]);

/** The status with the last loss instead of the loss curve, which grows. */
function progressOf(status: RunStatus): RunEvent {
  const { losses, ...rest } = status;
  return { ...rest, loss: losses.at(-1)?.loss ?? null };
}

/** The fields whose change sends an event. Fields that change every second (seconds left, seconds silent) are left out. */
const keyOf = ({ state, progress, finished, leases }: RunStatus): string =>
  JSON.stringify([state, progress, finished, leases.map(({ shard, trainer }) => [shard, trainer])]);

const written = (name: string, data: unknown) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;

/**
 * Sends a `progress` event when the run changes, then one terminal event: `done`, `failed` or `deleted`. `changed(ms)`
 * resolves at the next change or after `ms`; `read` is called only then.
 */
export function runEvents(read: () => Promise<RunStatus | null>, changed: (ms: number) => Promise<void>): ReadableStream<Uint8Array> {
  let last = "";
  const next = async (isSilent: boolean): Promise<Sent | null> => {
    const status = await read();
    if (status === null) return { text: written("deleted", {}), isLast: true };
    if (OVER.has(status.state)) return { text: written(status.state, progressOf(status)), isLast: true };
    if (keyOf(status) === last && !isSilent) return null;
    last = keyOf(status);
    return { text: written("progress", progressOf(status)), isLast: false };
  };
  return eventStream(next, changed);
}

/** After this many failures in a row the stream ends with an error. */
const MAX_FAILURES = 10;
const REOPEN_MS = 1000;

/** The position after the last complete event. A blank line ends an event. */
function endOfEvents(bytes: Uint8Array): number {
  for (let at = bytes.length; at >= 2; at--) if (bytes[at - 1] === 10 && bytes[at - 2] === 10) return at;
  return 0;
}

/**
 * Reopens a stream of events whenever it breaks, because the object behind it restarts at every deploy. Only complete events
 * are passed on, so a break never leaves half an event.
 */
export function lastingEvents(open: () => Promise<ReadableStream<Uint8Array>>): ReadableStream<Uint8Array> {
  let reader: ReadableStreamDefaultReader<Uint8Array> | null = null;
  let rest = new Uint8Array(0);
  let failures = 0;

  /** The next complete events, or null at the end. */
  async function next(): Promise<Uint8Array | null> {
    for (;;) {
      reader ??= (await open()).getReader();
      const { done, value } = await reader.read();
      if (done) return null;
      failures = 0;
      const bytes = new Uint8Array(rest.length + value.length);
      bytes.set(rest);
      bytes.set(value, rest.length);
      const end = endOfEvents(bytes);
      rest = bytes.slice(end);
      if (end > 0) return bytes.slice(0, end);
    }
  }

  return new ReadableStream({
    type: "bytes",
    async pull(controller) {
      for (;;) {
        try {
          const events = await next();
          if (events === null) controller.close();
          else controller.enqueue(events);
          return;
        } catch (error) {
          reader = null;
          rest = new Uint8Array(0);
          if (++failures === MAX_FAILURES) throw error;
          await scheduler.wait(REOPEN_MS);
        }
      }
    },
    async cancel(reason) {
      await reader?.cancel(reason);
    },
  });
}
