/** Feedback: the entry. Stub with the final contract. */
import { WorkerEntrypoint } from "cloudflare:workers";

export default class Feedback extends WorkerEntrypoint<FeedbackEnv> {
  async health(): Promise<{ ok: true }> {
    return { ok: true };
  }
}
