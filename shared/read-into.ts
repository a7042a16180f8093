/** A byte stream read to its end into a buffer that is used again and again. */

/** Smaller than this is not worth a read of its own. */
export const MIN_ROOM_BYTES = 64 * 1024;

/**
 * The bytes of the stream, in `buffer` where they fit, else in a larger one. `buffer` is used up: reading hands its memory
 * to the stream and back, so the memory is that of the result's buffer.
 */
export async function readInto(stream: ReadableStream, buffer: ArrayBuffer): Promise<Uint8Array<ArrayBuffer>> {
  const reader = stream.getReader({ mode: "byob" });
  let held = buffer;
  let size = 0;
  for (;;) {
    if (held.byteLength - size < MIN_ROOM_BYTES) {
      const larger = new Uint8Array(2 * held.byteLength + MIN_ROOM_BYTES);
      larger.set(new Uint8Array(held, 0, size));
      held = larger.buffer;
    }
    const { value, done } = await reader.read(new Uint8Array(held, size, held.byteLength - size));
    if (value === undefined) throw new Error(`stream: expected its end, got a cancellation after ${size} bytes`);
    held = value.buffer;
    size += value.byteLength;
    if (done) return new Uint8Array(held, 0, size);
  }
}
