/**
 * The active classifier of the isolate, in plain memory: at most a few megabytes, which are free when another classifier has
 * replaced it and its last request has ended.
 */
import { checkpointSchema, type Hash } from "../../shared/artifacts.ts";
import type { DenseConfig } from "../../shared/network-config.ts";
import { asDense } from "../../shared/network-kind.ts";
import { namedError } from "../../shared/errors.ts";
import { log } from "../../shared/log.ts";
import type { DenseLayer } from "../../shared/model/dense/network.ts";
import { denseLayers } from "../../shared/model/dense/weights.ts";
import { partition } from "../../shared/model/formats/partition.ts";
import { decodeSafetensors } from "../../shared/model/formats/safetensors.ts";
import { checkPart } from "../../shared/model/formats/weights-file.ts";
import { getJson, getObject } from "../../shared/store.ts";
import { mayAsk } from "./may-ask.ts";

export interface Classifier {
  hash: Hash;
  config: DenseConfig;
  layers: DenseLayer[];
}

let loaded: Classifier | null = null;
let checkedAt: number | null = null;

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

/**
 * The active classifier. If the registry is down or the new classifier cannot be loaded, the old one keeps answering. Throws
 * NoModel.
 */
export async function activeClassifier(env: GeneratorEnv): Promise<Classifier> {
  if (await mayAsk(env, "classifier", loaded !== null, checkedAt)) {
    checkedAt = Date.now();
    try {
      using active = await env.COORDINATOR.activeModel("classifier");
      if (active === null) loaded = null;
      else if (loaded?.hash !== active.model) loaded = await load(env, active.model);
    } catch (error) {
      log("error", `active classifier: ${(error as Error).message}`);
    }
  }
  if (loaded !== null) return loaded;
  throw namedError(
    "NoModel",
    "no classifier is active yet: train one on labelled lessons with objective classify, or activate a published one",
  );
}
