/** Reads a byte stream to its end into a buffer that later streams can reuse. */

/** The buffer grows when less room than this is free, because smaller reads cost too much. */
export const MIN_ROOM_BYTES = 64 * 1024;
/** Largest single read. The runtime holds a second copy of the bytes that it reads. Many small reads would leave more garbage. */
export const MAX_READ_BYTES = 1024 * 1024;

/** Buffer sizes are rounded up to a multiple of this. Objects differ a little in size, so a rounded buffer also fits the next object. */
const GRAIN_BYTES = 256 * 1024;

/** Allocates a buffer for an object of about `bytes`, with spare room for the read that finds the end of the stream. */
export function createRoom(bytes: number): ArrayBuffer {
  return new ArrayBuffer(Math.ceil((bytes + MIN_ROOM_BYTES) / GRAIN_BYTES) * GRAIN_BYTES);
}

/**
 * A reader with the option `min`: the read waits for `min` bytes or the end of the stream. workerd has this standard option, but
 * its types do not.
 */
interface WholeReader {
  read(view: Uint8Array<ArrayBuffer>, options: { min: number }): Promise<{ value?: Uint8Array<ArrayBuffer>; done: boolean }>;
}

/**
 * Returns the bytes of the stream, in `buffer` if the buffer is large enough, else in a larger buffer. `buffer` is consumed:
 * each read moves its memory to the stream and back, and the result owns the memory. A good guess of the size in `expected`
 * keeps the number of reads small.
 */
export async function readInto(stream: ReadableStream, buffer: ArrayBuffer, expected = 0): Promise<Uint8Array<ArrayBuffer>> {
  const reader = stream.getReader({ mode: "byob" }) as WholeReader;
  let held = buffer;
  let size = 0;
  for (;;) {
    if (held.byteLength - size < MIN_ROOM_BYTES) {
      const larger = new Uint8Array(2 * held.byteLength + MIN_ROOM_BYTES);
      larger.set(new Uint8Array(held, 0, size));
      held = larger.buffer;
    }
    const room = Math.min(held.byteLength - size, MAX_READ_BYTES);
    const { value, done } = await reader.read(new Uint8Array(held, size, room), { min: Math.max(1, Math.min(room, expected - size)) });
    if (value === undefined) throw new Error(`stream: expected the end of the stream, got a cancellation after ${size} bytes`);
    held = value.buffer;
    size += value.byteLength;
    if (done) return new Uint8Array(held, 0, size);
  }
}

/**
 * Passes a stream of `size` bytes through `buffer` in chunks, each at its place `at`. `take` must be done with a chunk when its
 * promise settles. `buffer` is consumed; the result owns its memory.
 */
export async function readChunks(
  stream: ReadableStream,
  buffer: ArrayBuffer,
  size: number,
  take: (chunk: Uint8Array<ArrayBuffer>, at: number) => Promise<void>,
): Promise<ArrayBuffer> {
  const reader = stream.getReader({ mode: "byob" }) as WholeReader;
  let held = buffer;
  for (let at = 0; ;) {
    const room = Math.min(held.byteLength, MAX_READ_BYTES);
    const { value, done } = await reader.read(new Uint8Array(held, 0, room), { min: Math.max(1, Math.min(room, size - at)) });
    if (value === undefined) throw new Error(`stream: expected the end of the stream, got a cancellation after ${at} bytes`);
    held = value.buffer;
    if (value.byteLength > 0) await take(value, at);
    at += value.byteLength;
    if (done) return held;
  }
}
