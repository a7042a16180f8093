/** Reads a byte stream to its end into a buffer that many streams use one after the other. */

/** Free room below which the buffer grows: a smaller read is not worth its cost. */
export const MIN_ROOM_BYTES = 64 * 1024;
/** The most bytes of one read: the runtime holds as many again. Reads are few, because each leaves garbage. */
const MAX_READ_BYTES = 1024 * 1024;

/** Buffers are multiples of this: objects differ a little in size, and a buffer of this grain fits the next object too. */
const GRAIN_BYTES = 256 * 1024;

/** A buffer for objects of about `bytes`, with room to notice the end of a stream. */
export function createRoom(bytes: number): ArrayBuffer {
  return new ArrayBuffer(Math.ceil((bytes + MIN_ROOM_BYTES) / GRAIN_BYTES) * GRAIN_BYTES);
}

/** `min` is in the streams standard and in workerd but not in its types: the read waits for that many bytes or the end. */
interface WholeReader {
  read(view: Uint8Array<ArrayBuffer>, options: { min: number }): Promise<{ value?: Uint8Array<ArrayBuffer>; done: boolean }>;
}

/**
 * The bytes of the stream, in `buffer` if they fit, else in a larger one. `buffer` is consumed: reading hands its memory
 * to the stream and back, and the result owns it. `expected` bytes arrive in few reads.
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
    if (value === undefined) throw new Error(`stream: expected its end, got a cancellation after ${size} bytes`);
    held = value.buffer;
    size += value.byteLength;
    if (done) return new Uint8Array(held, 0, size);
  }
}
