/**
 * The active language model (active.ts). When it is replaced, the old model is freed when its last generation ends.
 *
 * A generation holds its model for one turn. Cloudflare may cancel an invocation between two tokens, and then no `finally`
 * runs. Therefore a hold expires by the clock, and the next request frees the tensors of expired holds. All of this is module
 * state, shared by the requests of an isolate.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { ModelInfo } from "../../shared/contracts/generation.ts";
import { parameterCount } from "../../shared/model/weights.ts";
import { Active, TURN_MS } from "./active.ts";
import { loadModel, type LoadedModel } from "./load-model.ts";

export type { LoadedModel };

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

const active = new Active<LoadedModel>({
  kind: "language",
  load: loadModel,
  afterAsking(replaced) {
    if (replaced !== null) retired.add(replaced);
    sweep();
  },
  none: "no model is active yet: train one, or activate a published model",
});
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
 * The active model. Throws NoModel if there is none. Use the result at once: after an await the model may have been freed, unless it
 * is held.
 */
export const activeModel = (env: GeneratorEnv): Promise<LoadedModel> => active.current(env);

/** Holds the active model for one generation. Throws NoModel. */
export async function holdModel(env: GeneratorEnv): Promise<ModelHold> {
  sweep();
  const hold: Hold = { model: await activeModel(env), until: Date.now() + TURN_MS, tracked: [] };
  holds.add(hold);
  return {
    model: hold.model,
    hasLapsed: () => Date.now() >= hold.until,
    isSuperseded: () => hold.model !== active.loaded,
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
