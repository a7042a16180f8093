/** A stream of known length, made from chunks of bytes. Workers send a Content-Length header for such a stream. */

/** The caller may reuse a chunk's memory when the next chunk is requested, because each write waits until the reader took the bytes. */
export function fixedStream(chunks: AsyncIterable<Uint8Array>, size: number): ReadableStream<Uint8Array> {
  const { readable, writable } = new FixedLengthStream(size);
  const writer = writable.getWriter();
  const write = async () => {
    for await (const chunk of chunks) await writer.write(chunk);
    await writer.close();
  };
  // A failure aborts the stream, so the reader gets the error. If the reader has already cancelled, nobody needs the error.
  write().catch((error: unknown) => writer.abort(error).catch(() => undefined));
  return readable;
}
