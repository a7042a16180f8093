/**
 * Passes on the body of an answer chunk by chunk, for resources that no memory holds. A server that sends nothing for too long ends
 * the stream with an error.
 */
import type { Clock } from "./clock.ts";

/** The longest silence within a body. */
const MAX_SILENCE_MS = 20_000;

export interface StreamRequest {
  /** The byte of the resource at which the stream begins. */
  from: number;
  /** Called at each chunk. */
  onChunk: () => void;
  /** Called when no more bytes will be read from the server. */
  onEnd: () => void;
}

/** `skip`: leading bytes that are not passed on. */
export function passOn(
  body: ReadableStream<Uint8Array>,
  skip: number,
  { onChunk, onEnd }: StreamRequest,
  clock: Clock,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let left = skip;
  return new ReadableStream({
    type: "bytes",
    async pull(controller) {
      try {
        for (;;) {
          const next = await withinSilence(reader.read(), clock);
          onChunk();
          if (next.done) {
            onEnd();
            controller.close();
            return;
          }
          const part = next.value.subarray(Math.min(left, next.value.length));
          left -= next.value.length - part.length;
          if (part.length === 0) continue;
          controller.enqueue(part);
          return;
        }
      } catch (error) {
        onEnd();
        // The reader has failed or is stopped here; its own error is the one to report.
        await reader.cancel(error).catch(() => {});
        throw error;
      }
    },
    async cancel(reason) {
      onEnd();
      await reader.cancel(reason);
    },
  });
}

function withinSilence<T>(read: Promise<T>, clock: Clock): Promise<T> {
  const limit = clock.timeout(MAX_SILENCE_MS);
  const silence = new Promise<never>((_, reject) => {
    limit.addEventListener("abort", () => reject(new Error(`expected bytes within ${MAX_SILENCE_MS} ms, got none`)), { once: true });
  });
  return Promise.race([read, silence]);
}
