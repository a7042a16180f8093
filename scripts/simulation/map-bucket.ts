/** As much of an R2 bucket as reductions and checkpoints use, in memory. */
export class MapBucket {
  readonly objects = new Map<string, ArrayBuffer>();

  async put(key: string, value: ArrayBuffer | Uint8Array): Promise<null> {
    this.objects.set(key, new Uint8Array(value instanceof Uint8Array ? value : new Uint8Array(value)).buffer);
    return null;
  }

  async get(key: string): Promise<{ size: number; body: unknown; arrayBuffer(): Promise<ArrayBuffer> } | null> {
    const bytes = this.objects.get(key);
    return bytes === undefined ? null : { size: bytes.byteLength, body: new Response(bytes).body, arrayBuffer: async () => bytes };
  }

  asBucket(): R2Bucket {
    return this as unknown as R2Bucket;
  }
}
