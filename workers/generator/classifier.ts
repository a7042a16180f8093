/**
 * The active classifier of the isolate, in plain memory: at most a few megabytes, which are free when another classifier has
 * replaced it and its last request has ended.
 */
import { checkpointSchema, type Hash } from "../../shared/artifacts.ts";
import type { DenseConfig } from "../../shared/network-config.ts";
import { asDense } from "../../shared/network-kind.ts";
import type { DenseLayer } from "../../shared/model/dense/network.ts";
import { denseLayers } from "../../shared/model/dense/weights.ts";
import { partition } from "../../shared/model/formats/partition.ts";
import { decodeSafetensors } from "../../shared/model/formats/safetensors.ts";
import { checkPart } from "../../shared/model/formats/weights-file.ts";
import { getJson, getObject } from "../../shared/store.ts";
import { Active } from "./active.ts";

export interface Classifier {
  hash: Hash;
  config: DenseConfig;
  layers: DenseLayer[];
}

async function load({ ARTIFACTS }: Pick<GeneratorEnv, "ARTIFACTS">, hash: Hash): Promise<Classifier> {
  const { model, weights } = await getJson(ARTIFACTS, "checkpoint", hash, checkpointSchema);
  const config = asDense(model);
  const values = new Map<string, Float32Array>();
  for (const [index, part] of partition(config).entries()) {
    const arrays = decodeSafetensors(new Uint8Array(await getObject(ARTIFACTS, "part", weights[index]!)));
    checkPart(arrays, part);
    for (const { name, data } of arrays) values.set(name, data);
  }
  return { hash, config, layers: denseLayers(config, (name) => values.get(name)!) };
}

const active = new Active<Classifier>({
  kind: "classifier",
  load: (env, { model }) => load(env, model),
  none: "no classifier is active yet: train one on labelled lessons with objective classify, or activate a published one",
});

/** The active classifier. Throws NoModel if there is none. */
export const activeClassifier = (env: GeneratorEnv): Promise<Classifier> => active.current(env);
