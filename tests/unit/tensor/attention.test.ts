import * as fc from "fast-check";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { useKernels } from "../../../shared/tensor/engine/backend.ts";
import { causalAttention } from "../../../shared/tensor/ops.ts";
import * as reference from "../../../shared/tensor/reference.ts";
import {
  BUILDS,
  DIFFERENCE_TOLERANCE,
  TOLERANCE,
  finiteDifferenceError,
  normals,
  onceForBuilds,
  valueAndGradients,
  worstDifference,
  type Op,
  type Values,
} from "./compare.ts";

const fused: Op = (q, k, v) => causalAttention(q as tf.Tensor4D, k as tf.Tensor4D, v as tf.Tensor4D);
const plain: Op = (q, k, v) => reference.causalAttention(q as tf.Tensor4D, k as tf.Tensor4D, v as tf.Tensor4D);

interface Shape {
  batch: number;
  queries: number;
  /** The number of keys before the first query. */
  past: number;
  kvHeads: number;
  /** The number of query heads that share a key head. */
  group: number;
  width: number;
}

function inputsOf({ batch, queries, past, kvHeads, group, width }: Shape, seed: number): Values[] {
  const keys = [batch, queries + past, kvHeads, width];
  return [normals([batch, queries, kvHeads * group, width], seed), normals(keys, seed + 1), normals(keys, seed + 2)];
}

const once = onceForBuilds<Float32Array[]>();

async function differenceFromDefinition(shape: Shape, seed: number): Promise<number> {
  const inputs = inputsOf(shape, seed);
  const expected = await once([shape, seed], () => valueAndGradients("cpu", plain, inputs));
  return worstDifference(await valueAndGradients("wasm", fused, inputs), expected);
}

describe.each(BUILDS)("causal attention, %s", (_, module) => {
  beforeAll(() => useKernels(module));

  test("equals the definition in value and gradients over shapes, grouped heads and longer keys", async () => {
    const shape = fc.record({
      batch: fc.integer({ min: 1, max: 2 }),
      // Sizes on both sides of a block (12 queries) and of a span (64); also 1, because a single query has its own code path.
      queries: fc.constantFrom(1, 2, 3, 7, 11, 12, 13, 25, 49, 63, 64, 65),
      past: fc.constantFrom(0, 1, 5, 8, 17),
      kvHeads: fc.integer({ min: 1, max: 2 }),
      group: fc.integer({ min: 1, max: 3 }),
      width: fc.constantFrom(1, 2, 3, 4, 7, 8, 13, 16, 17, 32),
    });
    await fc.assert(
      fc.asyncProperty(shape, fc.nat(), async (sizes, seed) => {
        expect(await differenceFromDefinition(sizes, seed)).toBeLessThanOrEqual(TOLERANCE);
      }),
      { seed: 1, numRuns: 60 },
    );
  });

  test("equals the definition for more keys than one micro-panel holds", async () => {
    const shape = { batch: 1, queries: 131, past: 130, kvHeads: 1, group: 2, width: 8 };
    expect(await differenceFromDefinition(shape, 3)).toBeLessThanOrEqual(TOLERANCE);
  });

  test("has the gradients that finite differences give", async () => {
    const inputs = inputsOf({ batch: 1, queries: 5, past: 2, kvHeads: 1, group: 2, width: 6 }, 1);
    expect(await finiteDifferenceError(fused, inputs)).toBeLessThan(DIFFERENCE_TOLERANCE);
  });
});
