/** `crypto.DigestStream` of workerd, for Node, which lacks it (developers.cloudflare.com/workers/runtime-apis/web-crypto). */
import { createHash } from "node:crypto";

class DigestStream extends WritableStream<Uint8Array> {
  readonly digest: Promise<ArrayBuffer>;

  constructor(algorithm: string) {
    const hash = createHash(algorithm.replace("-", "").toLowerCase());
    const { promise, resolve, reject } = Promise.withResolvers<ArrayBuffer>();
    promise.catch(() => undefined);
    super({
      write: (chunk) => void hash.update(chunk),
      close: () => resolve(Uint8Array.from(hash.digest()).buffer),
      abort: reject,
    });
    this.digest = promise;
  }
}

Object.assign(crypto, { DigestStream });
