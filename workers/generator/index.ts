/** Generator: the entry. Stub with the final contract. */
import { WorkerEntrypoint } from "cloudflare:workers";

export default class Generator extends WorkerEntrypoint<GeneratorEnv> {
  async health(): Promise<{ ok: true }> {
    return { ok: true };
  }
}
