/**
 * Bench Worker. POST /?model=CONFIG takes the bytes of a model.safetensors and loads the model. POST /?ids=1,2,3 then returns
 * the logits of every position as float32, computed in workerd by the serving code.
 */
import * as tf from "@tensorflow/tfjs-core";
import { modelConfigSchema, type ModelConfig } from "../../../../shared/config.ts";
import { decodeSafetensors } from "../../../../shared/model/formats/safetensors.ts";
import { tensorsOf } from "../../../../shared/model/formats/weights-file.ts";
import { forward } from "../../../../shared/model/transformer.ts";
import type { Weights } from "../../../../shared/model/weights.ts";
import { startBackend } from "../../../../shared/tensor/engine/backend.ts";

let loaded: { config: ModelConfig; weights: Weights } | null = null;

export default {
  async fetch(request: Request): Promise<Response> {
    await startBackend();
    const query = new URL(request.url).searchParams;
    const model = query.get("model");
    if (model !== null) {
      const config = modelConfigSchema.parse(JSON.parse(model));
      const arrays = decodeSafetensors(new Uint8Array(await request.arrayBuffer()));
      if (loaded !== null) tf.dispose(loaded.weights);
      loaded = { config, weights: tensorsOf(arrays) };
      return new Response("loaded");
    }
    if (loaded === null) return new Response("expected a model first", { status: 409 });
    const { config, weights } = loaded;
    const ids = Int32Array.from((query.get("ids") ?? "").split(","), Number);
    const logits = tf.tidy(() => forward(weights, config, tf.tensor1d(ids, "int32"), 1).dataSync() as Float32Array);
    return new Response(logits.slice());
  },
} satisfies ExportedHandler;
