/** An R2 bucket in memory, with the methods that reductions and checkpoints call. */
export class MapBucket {
  readonly objects = new Map<string, ArrayBuffer>();
  readonly uploaded = new Map<string, Date>();
  /** Keys of all requested writes, in order. */
  readonly asked: string[] = [];
  /** The number of requests of all kinds. */
  requests = 0;
  /** For each key, how many more reads fail. Reads of real storage fail sometimes. */
  readonly failures = new Map<string, number>();

  async put(key: string, value: ArrayBuffer | Uint8Array | ReadableStream, options: { onlyIf?: unknown } = {}): Promise<object | null> {
    this.requests++;
    this.asked.push(key);
    const bytes = value instanceof ReadableStream ? await new Response(value).arrayBuffer() : value;
    if (options.onlyIf !== undefined && this.objects.has(key)) return null;
    this.objects.set(key, new Uint8Array(bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes)).buffer);
    this.uploaded.set(key, new Date());
    return {};
  }

  async head(key: string): Promise<{ uploaded: Date } | null> {
    this.requests++;
    const uploaded = this.uploaded.get(key);
    return uploaded === undefined || !this.objects.has(key) ? null : { uploaded };
  }

  async get(
    key: string,
    { range }: { range?: { offset: number; length: number } } = {},
  ): Promise<{ size: number; body: unknown; arrayBuffer(): Promise<ArrayBuffer> } | null> {
    this.requests++;
    const left = this.failures.get(key) ?? 0;
    if (left > 0) {
      this.failures.set(key, left - 1);
      throw new Error("get: We encountered an internal error. Please try again. (10001)");
    }
    const bytes = this.objects.get(key);
    if (bytes === undefined) return null;
    const part = range === undefined ? bytes : bytes.slice(range.offset, range.offset + range.length);
    return { size: bytes.byteLength, body: new Response(part).body, arrayBuffer: async () => part };
  }

  asBucket(): R2Bucket {
    return this as unknown as R2Bucket;
  }
}
