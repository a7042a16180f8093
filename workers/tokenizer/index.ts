/** Tokenizer: the entry. Stub with the final contract. */
import { WorkerEntrypoint } from "cloudflare:workers";

export default class Tokenizer extends WorkerEntrypoint<TokenizerEnv> {
  async health(): Promise<{ ok: true }> {
    return { ok: true };
  }
}
