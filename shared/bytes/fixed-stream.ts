/** Chunks of bytes as a stream of known length, for Workers: the platform sends Content-Length for it. */

/** A write waits until its bytes were taken, so a chunk's memory may be used again when the next chunk is asked for. */
export function fixedStream(chunks: AsyncIterable<Uint8Array>, size: number): ReadableStream<Uint8Array> {
  const { readable, writable } = new FixedLengthStream(size);
  const writer = writable.getWriter();
  const write = async () => {
    for await (const chunk of chunks) await writer.write(chunk);
    await writer.close();
  };
  // The reader hears of a failure by the stream; one that has gone away wants to hear nothing.
  write().catch((error: unknown) => writer.abort(error).catch(() => undefined));
  return readable;
}
