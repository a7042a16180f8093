/** Generator: the active model, answering. One generation at a time per isolate, a bounded queue before it. */
import { WorkerEntrypoint } from "cloudflare:workers";
import { generate, type GenerateInput, type GenerateOutput } from "./generate.ts";
import { namedError } from "../../shared/errors.ts";

const MAX_WAITING = 16;

let waiting = 0;
let tail: Promise<unknown> = Promise.resolve();

export default class Generator extends WorkerEntrypoint<GeneratorEnv> {
  async health(): Promise<{ ok: true }> {
    return { ok: true };
  }

  /** Answers a text. Throws NoModel, or Busy when too many are waiting. */
  async generate(input: GenerateInput): Promise<GenerateOutput> {
    if (waiting >= MAX_WAITING) throw namedError("Busy", `expected at most ${MAX_WAITING} answers in the making, try again in a second`);
    waiting++;
    const turn = tail.then(() => generate(this.env, input));
    tail = turn.catch(() => undefined);
    // A caller that goes away must not end this invocation in mid-turn: the tail would never settle and nobody would get a turn again.
    this.ctx.waitUntil(tail);
    try {
      return await turn;
    } finally {
      waiting--;
    }
  }
}
