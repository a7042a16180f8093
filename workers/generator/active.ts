/**
 * The active model of one kind in this isolate. It is replaced when the active pointer moves. The requests of an isolate share it, but
 * no request awaits another: a request that needs a model while another request loads the first one waits by the clock.
 *
 * Isolates do not ask the registry, a single object, too often. Without a limit each isolate would ask every second, and before the
 * first model each request would ask. REGISTRY_LIMIT lets all isolates of a location together ask once a second for each kind of
 * model. So a few isolates notice a new model after a second, and all of them notice it after a minute.
 */
import type { Hash } from "../../shared/artifacts.ts";
import type { Model } from "../../shared/contracts/models.ts";
import { namedError } from "../../shared/errors.ts";
import { log } from "../../shared/log.ts";
import type { ModelKind } from "../../shared/network-kind.ts";

/** The longest time of a generation, including the loading of a new model. */
export const TURN_MS = 15_000;
/** A loaded model is used for this long before the registry is asked for the active model again. */
const RECHECK_MS = 1000;
/** Every isolate asks at least this often, even if the limiter refuses. */
const MAX_AGE_MS = 60_000;
const POLL_MS = 10;

interface Source<Loaded> {
  kind: ModelKind;
  load(env: GeneratorEnv, active: Model): Promise<Loaded>;
  /** Called after each question to the registry, with the model that was replaced; null if none was. */
  afterAsking?(replaced: Loaded | null): void;
  /** The message of the error before the first model of this kind. */
  none: string;
}

export class Active<Loaded extends { hash: Hash }> {
  readonly #source: Source<Loaded>;
  #loaded: Loaded | null = null;
  #checkedAt: number | null = null;
  /** Until this time, another request may be asking for the active model or loading it. */
  #askingUntil = 0;

  constructor(source: Source<Loaded>) {
    this.#source = source;
  }

  get loaded(): Loaded | null {
    return this.#loaded;
  }

  /** If the registry is down or the new model cannot be loaded, the old model keeps answering. Throws NoModel if there is none. */
  async current(env: GeneratorEnv): Promise<Loaded> {
    const isAsking = () => Date.now() < this.#askingUntil;
    const isAwaited = () => this.#loaded === null && isAsking();
    while (isAwaited()) await scheduler.wait(POLL_MS);
    if (this.#loaded !== null && isAsking()) return this.#loaded;
    this.#askingUntil = Date.now() + TURN_MS;
    try {
      return (await this.#mayAsk(env)) ? await this.#ask(env) : this.#last();
    } finally {
      this.#askingUntil = 0;
    }
  }

  async #mayAsk(env: GeneratorEnv): Promise<boolean> {
    if (this.#checkedAt === null || Date.now() - this.#checkedAt >= MAX_AGE_MS) return true;
    if (this.#loaded !== null && Date.now() - this.#checkedAt < RECHECK_MS) return false;
    return (await env.REGISTRY_LIMIT.limit({ key: `active-${this.#source.kind}` })).success;
  }

  #last(): Loaded {
    if (this.#loaded !== null) return this.#loaded;
    throw namedError("NoModel", "no model was active a moment ago: try again in a second");
  }

  async #ask(env: GeneratorEnv): Promise<Loaded> {
    const { kind, load, none } = this.#source;
    this.#checkedAt = Date.now();
    let replaced: Loaded | null = null;
    try {
      using active = await env.COORDINATOR.activeModel(kind);
      if (active === null) throw namedError("NoModel", none);
      if (this.#loaded?.hash === active.model) return this.#loaded;
      const next = await load(env, active);
      replaced = this.#loaded;
      this.#loaded = next;
      return next;
    } catch (error) {
      const { name, message } = error as Error;
      if (name === "NoModel") throw error;
      const fallback = this.#loaded === null ? "no other model is loaded" : "the loaded model keeps answering";
      log("error", `active ${kind} model: ${message}; ${fallback}`);
      if (this.#loaded !== null) return this.#loaded;
      throw namedError(
        "NoModel",
        "the active model cannot be loaded: try again in a minute; if that does not help, activate another model",
      );
    } finally {
      this.#source.afterAsking?.(replaced);
    }
  }
}
