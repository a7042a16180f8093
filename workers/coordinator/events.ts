/** A run's progress as server-sent events (html.spec.whatwg.org/multipage/server-sent-events.html). */
import type { RunEvent, RunStatus } from "../../shared/contracts/runs.ts";

const POLL_MS = 500;
/** An event is sent this often even if nothing has changed: proxies keep the connection, and clients know that it lives. */
const HEARTBEAT_MS = 15_000;

const OVER: ReadonlySet<RunStatus["state"]> = new Set(["done", "failed"]);

/** The status without the loss curve, which grows; an event carries only the last loss. */
function progressOf(status: RunStatus): RunEvent {
  const { losses, ...rest } = status;
  return { ...rest, loss: losses.at(-1)?.loss ?? null };
}

/**
 * `progress` events as the run changes, then exactly one terminal event: `done`, `failed` or `deleted`. Reads the status
 * only while the client takes the bytes. A client that leaves ends the stream.
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
        // Seconds left and seconds silent change all the time, so they do not count as changes.
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
