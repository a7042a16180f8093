/** The first chunk of a stream, whose bytes show the format (null if there is none), and the whole stream with this chunk. */
export async function peeked(chunks: AsyncIterable<Uint8Array>): Promise<{ first: Uint8Array | null; all: AsyncGenerator<Uint8Array> }> {
  const input = chunks[Symbol.asyncIterator]();
  const next = await input.next();
  const first = next.done === true ? null : next.value;
  const all = (async function* () {
    if (first !== null) yield first;
    yield* { [Symbol.asyncIterator]: () => input };
  })();
  return { first, all };
}
