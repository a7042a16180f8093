/** Generator: the active model, answering. One generation at a time per isolate, behind a bounded queue. */
import { WorkerEntrypoint } from "cloudflare:workers";
import type { Answer, GenerateRequest } from "../../shared/contracts/generate.ts";
import { createAdmissionQueue } from "./admission-queue.ts";
import { generate } from "./generate.ts";

/**
 * Wait and turn add up to the 30 s that an invocation has left when its client has gone.
 * developers.cloudflare.com/workers/runtime-apis/context/#waituntil
 */
const inTurn = createAdmissionQueue({ places: 16, waitMs: 15_000, turnMs: 15_000 });

export default class Generator extends WorkerEntrypoint<GeneratorEnv> {
  async health(): Promise<{ ok: true }> {
    return { ok: true };
  }

  /** Answers a text. Throws NoModel, or Busy when too many requests wait or the wait is too long. */
  async generate(request: GenerateRequest): Promise<Answer> {
    const answer = inTurn(() => generate(this.env, request));
    // Without this, a client that leaves ends the invocation in mid-turn, and the tensors of a half-loaded model are never freed.
    this.ctx.waitUntil(answer.catch(() => undefined));
    return answer;
  }
}
