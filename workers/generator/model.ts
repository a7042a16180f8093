/**
 * The active model. It is replaced when the active pointer moves, and the old model is freed when its last generation ends.
 *
 * A generation holds its model for one turn. Cloudflare may cancel an invocation between two tokens, and then no `finally`
 * runs. Therefore a hold expires by the clock, and the next request frees the tensors of expired holds. All of this is module
 * state, shared by the requests of an isolate. No request awaits another.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { ModelInfo } from "../../shared/contracts/generation.ts";
import { namedError } from "../../shared/errors.ts";
import { parameterCount } from "../../shared/model/weights.ts";
import { log } from "../../shared/log.ts";
import { loadModel, type LoadedModel } from "./load-model.ts";
import { mayAsk } from "./may-ask.ts";

export type { LoadedModel };

/** The longest time of a generation, including the loading of a new model. */
export const TURN_MS = 15_000;
const POLL_MS = 10;

export interface ModelHold {
  readonly model: LoadedModel;
  /** True when the turn's time is over. The generation must end, and other requests may free its tensors. */
  hasLapsed(): boolean;
  /** True when another model has become active. */
  isSuperseded(): boolean;
  /** Registers an item that is disposed together with this generation. */
  track<T extends Disposable>(item: T): T;
  disposeTracked(): void;
  release(): void;
}

interface Disposable {
  dispose(): void;
}

interface Hold {
  model: LoadedModel;
  until: number;
  tracked: Disposable[];
}

let loaded: LoadedModel | null = null;
let checkedAt: number | null = null;
/** Until this time, another request may be asking for the active model or loading it. */
let askingUntil = 0;
const holds = new Set<Hold>();
const retired = new Set<LoadedModel>();

function disposeTracked(hold: Hold): void {
  for (const item of hold.tracked.splice(0)) item.dispose();
}

/** Frees the tensors of expired holds, and replaced models that no generation holds. */
function sweep(): void {
  const now = Date.now();
  for (const hold of holds) {
    if (now < hold.until) continue;
    disposeTracked(hold);
    holds.delete(hold);
  }
  const held = new Set([...holds].map(({ model }) => model));
  for (const model of retired) {
    if (held.has(model)) continue;
    model.decoding.dispose();
    tf.dispose(model.weights);
    retired.delete(model);
  }
}

/**
 * The active model. If the registry is down or the new model cannot be loaded, the old model keeps answering. Throws NoModel
 * if there is no model. Use the result at once: after an await the model may have been freed, unless it is held.
 */
export async function activeModel(env: GeneratorEnv): Promise<LoadedModel> {
  const isAsking = () => Date.now() < askingUntil;
  const isAwaited = () => loaded === null && isAsking();
  while (isAwaited()) await scheduler.wait(POLL_MS);
  if (loaded !== null && isAsking()) return loaded;
  askingUntil = Date.now() + TURN_MS;
  try {
    return (await mayAsk(env, "language", loaded !== null, checkedAt)) ? await askedModel(env) : lastModel();
  } finally {
    askingUntil = 0;
  }
}

function lastModel(): LoadedModel {
  if (loaded !== null) return loaded;
  throw namedError("NoModel", "no model was active a moment ago: try again in a second");
}

async function askedModel(env: GeneratorEnv): Promise<LoadedModel> {
  checkedAt = Date.now();
  try {
    using active = await env.COORDINATOR.activeModel();
    if (active === null) throw namedError("NoModel", "no model is active yet: train one, or activate a published model");
    if (loaded?.hash !== active.model) {
      const next = await loadModel(env, active);
      if (loaded !== null) retired.add(loaded);
      loaded = next;
    }
    return loaded;
  } catch (error) {
    const { name, message } = error as Error;
    if (name === "NoModel") throw error;
    log("error", `active model: ${message}; ${loaded === null ? "no other model is loaded" : "the loaded model keeps answering"}`);
    if (loaded !== null) return loaded;
    throw namedError("NoModel", "the active model cannot be loaded: try again in a minute; if that does not help, activate another model");
  } finally {
    sweep();
  }
}

/** Holds the active model for one generation. Throws NoModel. */
export async function holdModel(env: GeneratorEnv): Promise<ModelHold> {
  sweep();
  const hold: Hold = { model: await activeModel(env), until: Date.now() + TURN_MS, tracked: [] };
  holds.add(hold);
  return {
    model: hold.model,
    hasLapsed: () => Date.now() >= hold.until,
    isSuperseded: () => hold.model !== loaded,
    track: (item) => {
      hold.tracked.push(item);
      return item;
    },
    disposeTracked: () => disposeTracked(hold),
    release() {
      disposeTracked(hold);
      holds.delete(hold);
      sweep();
    },
  };
}

export function infoOf({ hash, publishedAt, config }: LoadedModel): ModelInfo {
  const { context, vocabSize, layers, width } = config;
  return { hash, publishedAt, context, vocabSize, layers, width, parameters: parameterCount(config) };
}
