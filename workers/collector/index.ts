/** Collector: the entry. Stub with the final contract. */
import { WorkerEntrypoint, DurableObject } from "cloudflare:workers";

export default class Collector extends WorkerEntrypoint<CollectorEnv> {
  async health(): Promise<{ ok: true }> {
    return { ok: true };
  }
}
export class Catalog extends DurableObject<CollectorEnv> {}
export class Host extends DurableObject<CollectorEnv> {}
