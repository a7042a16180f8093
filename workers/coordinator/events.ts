/** A run's progress as server-sent events (html.spec.whatwg.org/multipage/server-sent-events.html). */
import type { RunEvent, RunStatus } from "../../shared/contracts/runs.ts";

const POLL_MS = 500;
/** An event even if nothing has changed, so that proxies keep the connection and clients know that it lives. */
const HEARTBEAT_MS = 15_000;

const OVER: ReadonlySet<RunStatus["state"]> = new Set(["done", "failed"]);

/** What changes from event to event; the loss curve is in the status itself and grows. */
function progressOf(status: RunStatus): RunEvent {
  const { losses, ...rest } = status;
  return { ...rest, loss: losses.at(-1)?.loss ?? null };
}

/**
 * `progress` events as the run changes and exactly one terminal event: `done`, `failed` or `deleted`. Reads the status
 * only when the client takes the bytes; a client that leaves ends the stream.
 */
export function runEvents(read: () => Promise<RunStatus | null>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let last = "";
  let sentAt = 0;
  const event = (name: string, data: unknown) => encoder.encode(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  return new ReadableStream({
    type: "bytes",
    async pull(controller) {
      for (;;) {
        const status = await read();
        if (status === null || OVER.has(status.state)) {
          controller.enqueue(event(status?.state ?? "deleted", status === null ? {} : progressOf(status)));
          controller.close();
          return;
        }
        // Leases and silences change by the second without anything happening.
        const key = JSON.stringify([
          status.state,
          status.progress,
          status.finished,
          status.leases.map(({ shard, trainer }) => [shard, trainer]),
        ]);
        const now = Date.now();
        if (key !== last || now - sentAt > HEARTBEAT_MS) {
          last = key;
          sentAt = now;
          controller.enqueue(event("progress", progressOf(status)));
          return;
        }
        await scheduler.wait(POLL_MS);
      }
    },
  });
}
