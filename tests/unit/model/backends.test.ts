/** The whole model's gradients on the wasm backend with our kernels, against tfjs's own cpu backend. */
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import { expect, test } from "vitest";
import type { ModelConfig } from "../../../shared/config.ts";
import { crossEntropyHead } from "../../../shared/model/backward/cross-entropy-head.ts";
import { lossAndGradients } from "../../../shared/model/backward/loss.ts";
import { createRandom, normal } from "../../../shared/model/random.ts";
import { weightShapes } from "../../../shared/model/weights.ts";
import { startBackend } from "../../../shared/tensor/engine/backend.ts";

const SHAPE = {
  vocabSize: 23,
  width: 16,
  mlpWidth: 20,
  layers: 2,
  heads: 4,
  kvHeads: 2,
  headWidth: 8,
  context: 7,
  ropeTheta: 100,
  normEpsilon: 1e-6,
};

for (const tiedEmbeddings of [false, true]) {
  test(`loss and gradients equal those of the cpu backend, tied embeddings ${tiedEmbeddings}`, async () => {
    const config: ModelConfig = { ...SHAPE, tiedEmbeddings };
    const compute = () => {
      const random = createRandom(8);
      const weights = Object.fromEntries(
        weightShapes(config).map(([name, shape]) => {
          const values = Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => 0.3 * normal(random));
          return [name, tf.tensor(values, shape)];
        }),
      );
      const inputs = Int32Array.from({ length: 21 }, (_, index) => (index * 5) % 23);
      const labels = Int32Array.from({ length: 21 }, (_, index) => (index === 6 ? -1 : (index * 7) % 23));
      const { loss, gradients } = lossAndGradients(weights, config, { inputs, labels, sequences: 3 }, crossEntropyHead);
      const values = Object.entries(gradients).map(([name, tensor]) => ({ name, values: Array.from(tensor.dataSync()) }));
      tf.dispose([weights, gradients]);
      return { loss, values };
    };
    await startBackend();
    await tf.setBackend("wasm");
    const wasm = compute();
    await tf.setBackend("cpu");
    const cpu = compute();
    await tf.setBackend("wasm");
    expect(wasm.loss).toBeCloseTo(cpu.loss, 5);
    for (const [index, { name, values }] of wasm.values.entries()) {
      const expected = cpu.values[index]!.values;
      const largest = Math.max(...expected.map(Math.abs));
      const worst = Math.max(...values.map((value, at) => Math.abs(value - expected[at]!)));
      expect({ name, close: worst <= 1e-4 * largest + 1e-6 }).toEqual({ name, close: true });
    }
  });
}
