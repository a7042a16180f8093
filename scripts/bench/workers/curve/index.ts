/**
 * Bench Worker. POST /?ops=fused|plain&steps=N takes uint16 tokens and returns the losses of preset shakespeare-char, computed
 * in workerd.
 */
import { presetOf } from "../../../../shared/config.ts";
import { startBackend } from "../../../../shared/tensor/engine/backend.ts";
import { usePlainOps } from "../../../../shared/tensor/ops.ts";
import { lossCurve } from "./loss-curve.ts";

export default {
  async fetch(request: Request): Promise<Response> {
    await startBackend();
    const query = new URL(request.url).searchParams;
    const { model, vocabSize, training } = presetOf("shakespeare-char");
    const tokens = new Uint16Array(await request.arrayBuffer());
    usePlainOps(query.get("ops") === "plain");
    const setting = {
      model: { ...model, vocabSize },
      optimizer: training.optimizer,
      batch: training.batch,
      steps: Number(query.get("steps")),
    };
    return Response.json(lossCurve(setting, tokens));
  },
} satisfies ExportedHandler;
