/** Trainer: the entry. Stub with the final contract. */
import { WorkerEntrypoint } from "cloudflare:workers";

export default class Trainer extends WorkerEntrypoint<TrainerEnv> {
  async health(): Promise<{ ok: true }> {
    return { ok: true };
  }
}
