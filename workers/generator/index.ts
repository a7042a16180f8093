/** Generator: the active model, answering. One generation at a time per isolate, a bounded line before it. */
import { WorkerEntrypoint } from "cloudflare:workers";
import { generate, type GenerateInput, type GenerateOutput } from "./generate.ts";
import { createLine } from "./admission-queue.ts";

/** Wait and turn together are the 30 s that are left to whom nobody waits for. developers.cloudflare.com/workers/runtime-apis/context/#waituntil */
const inTurn = createLine({ places: 16, waitMs: 15_000, turnMs: 15_000 });

export default class Generator extends WorkerEntrypoint<GeneratorEnv> {
  async health(): Promise<{ ok: true }> {
    return { ok: true };
  }

  /** Answers a text. Throws NoModel, Unavailable when it cannot be kept, Busy when too many are waiting or the wait is too long. */
  async generate(input: GenerateInput): Promise<GenerateOutput> {
    const answer = inTurn(() => generate(this.env, input));
    // A caller that goes away should not end this invocation in mid-turn: the tensors of a model half loaded would never be freed.
    this.ctx.waitUntil(answer.catch(() => undefined));
    return answer;
  }
}
