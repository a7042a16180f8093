import * as fc from "fast-check";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import { createRandom, normal } from "../../../shared/model/random.ts";
import { startBackend } from "../../../shared/tensor/backend.ts";
import { causalAttention } from "../../../shared/tensor/ops.ts";
import * as reference from "../../../shared/tensor/reference.ts";

beforeAll(startBackend);

const size = (max: number) => fc.integer({ min: 1, max });

type Attention = typeof causalAttention;

test("fused attention and its gradients equal the plain ones over shapes, grouped heads and longer keys", () => {
  fc.assert(
    fc.property(size(3), size(13), fc.nat(5), size(3), size(3), size(17), (batch, queries, past, kvHeads, group, width) => {
      const random = createRandom(batch * 31 + queries * 7 + width);
      const make = (shape: [number, number, number, number]) =>
        tf.tensor4d(
          Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => normal(random)),
          shape,
        );
      const before = tf.memory().numTensors;
      const worst = tf.tidy(() => {
        const q = make([batch, queries, kvHeads * group, width]);
        const [k, v] = [make([batch, queries + past, kvHeads, width]), make([batch, queries + past, kvHeads, width])];
        const dy = make([batch, queries, kvHeads * group, width]);
        const run = (op: Attention) => [
          op(q, k, v),
          ...tf.grads((a, b, c) => op(a as tf.Tensor4D, b as tf.Tensor4D, c as tf.Tensor4D))([q, k, v], dy),
        ];
        const expected = run(reference.causalAttention);
        return run(causalAttention).map((got, index) => {
          const want = expected[index]!;
          return tf.max(tf.abs(tf.sub(got, want))).dataSync()[0]! / Math.max(1, tf.max(tf.abs(want)).dataSync()[0]!);
        });
      });
      expect(tf.memory().numTensors).toBe(before);
      for (const error of worst) expect(error).toBeLessThan(1e-5);
    }),
    { seed: 1, numRuns: 60 },
  );
});
