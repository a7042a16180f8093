/**
 * Kernels registered with tfjs's wasm backend beside its own: AssemblyScript code (kernels/) that works in place on
 * tfjs's memory. `matMul` replaces the stock one, which falls to a scalar loop for transposed or batched operands;
 * `UnsortedSegmentSum`, the gradient of `gather`, is missing upstream (tensorflow/tfjs#8082).
 */
import * as tf from "@tensorflow/tfjs-core";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm/dist/backend_wasm";
import type { WasmRuntime } from "./backend.ts";
import kernelModule from "./kernels/kernels.wasm";

/** What kernels/kernels.ts exports; offsets are bytes in the shared memory. */
export interface KernelExports {
  matMul(
    a: number,
    b: number,
    out: number,
    m: number,
    n: number,
    k: number,
    aRow: number,
    aCol: number,
    bRow: number,
    bCol: number,
    pack: number,
  ): void;
  scatterAddRows(values: number, ids: number, out: number, count: number, width: number, rows: number): void;
  packBytes(n: number, k: number): number;
  /** q, k, v, out, then B, T, S, H, K, D, the score scale and scratch for S floats. */
  attention(...values: number[]): void;
  /** q, k, v, out, dy, dq, dk, dv, then as above. */
  attentionBackward(...values: number[]): void;
}

/** Registers everything for the wasm backend. */
export function registerKernels(backend: BackendWasm, runtime: WasmRuntime, memory: WebAssembly.Memory): void {
  const instance = new WebAssembly.Instance(kernelModule, { env: { memory, abort: () => undefined } });
  const kernels = instance.exports as unknown as KernelExports;
  const offset = (info: tf.TensorInfo): number => backend.getMemoryOffset(info.dataId as never);
  const scratch = createScratch(runtime);

  tf.unregisterKernel("BatchMatMul", "wasm");
  tf.registerKernel({
    kernelName: "BatchMatMul",
    backendName: "wasm",
    kernelFunc: ({ inputs, attrs }) => {
      const { a, b } = inputs as { a: tf.TensorInfo; b: tf.TensorInfo };
      const { transposeA, transposeB } = attrs as unknown as { transposeA: boolean; transposeB: boolean };
      const [ar, ac] = a.shape.slice(-2) as [number, number];
      const [br, bc] = b.shape.slice(-2) as [number, number];
      const [m, k] = transposeA ? [ac, ar] : [ar, ac];
      const [kb, n] = transposeB ? [bc, br] : [br, bc];
      if (k !== kb) throw new Error(`matMul: expected inner sizes to agree, got ${k} and ${kb}`);
      const aBatch = tf.util.sizeFromShape(a.shape.slice(0, -2));
      const bBatch = tf.util.sizeFromShape(b.shape.slice(0, -2));
      const batch = Math.max(aBatch, bBatch);
      if (aBatch !== bBatch && aBatch !== 1 && bBatch !== 1)
        throw new Error(`matMul: expected equal batches or 1, got ${aBatch} and ${bBatch}`);
      const lead = (aBatch >= bBatch ? a.shape : b.shape).slice(0, -2);
      const out = backend.makeOutput([...lead, m, n], "float32");
      const pack = scratch(kernels.packBytes(n, k));
      const [aOffset, bOffset, outOffset] = [offset(a), offset(b), offset(out)];
      for (let index = 0; index < batch; index++) {
        kernels.matMul(
          aOffset + (aBatch === 1 ? 0 : index * m * k * 4),
          bOffset + (bBatch === 1 ? 0 : index * k * n * 4),
          outOffset + index * m * n * 4,
          m,
          n,
          k,
          transposeA ? 1 : k,
          transposeA ? m : 1,
          transposeB ? 1 : n,
          transposeB ? k : 1,
          pack,
        );
      }
      return out;
    },
  });

  if (tf.getKernel("UnsortedSegmentSum", "wasm") === undefined) {
    tf.registerKernel({
      kernelName: "UnsortedSegmentSum",
      backendName: "wasm",
      kernelFunc: ({ inputs, attrs }) => {
        const { x, segmentIds } = inputs as { x: tf.TensorInfo; segmentIds: tf.TensorInfo };
        const { numSegments } = attrs as unknown as { numSegments: number };
        const count = x.shape[0]!;
        const width = tf.util.sizeFromShape(x.shape.slice(1));
        const out = backend.makeOutput([numSegments, ...x.shape.slice(1)], "float32");
        kernels.scatterAddRows(offset(x), offset(segmentIds), offset(out), count, width, numSegments);
        return out;
      },
    });
  }

  const sizes = (q: tf.TensorInfo, k: tf.TensorInfo): number[] => {
    const [batch, queries, heads, width] = q.shape as [number, number, number, number];
    const [, keys, kvHeads] = k.shape as [number, number, number, number];
    return [batch, queries, keys, heads, kvHeads, width, 1 / Math.sqrt(width), scratch(keys * 4)];
  };
  tf.registerKernel({
    kernelName: "CausalAttention",
    backendName: "wasm",
    kernelFunc: ({ inputs }) => {
      const { q, k, v } = inputs as Record<"q" | "k" | "v", tf.TensorInfo>;
      const out = backend.makeOutput(q.shape, "float32");
      const rest = sizes(q, k);
      kernels.attention(...[q, k, v, out].map(offset), ...rest);
      return out;
    },
  });
  tf.registerKernel({
    kernelName: "CausalAttentionGrad",
    backendName: "wasm",
    kernelFunc: ({ inputs }) => {
      const { q, k, v, out, dy } = inputs as Record<"q" | "k" | "v" | "out" | "dy", tf.TensorInfo>;
      const gradients = [q, k, v].map((input) => backend.makeOutput(input.shape, "float32"));
      const rest = sizes(q, k);
      kernels.attentionBackward(...[q, k, v, out, dy, ...gradients].map(offset), ...rest);
      return gradients;
    },
  });
}

/** One growing block of wasm memory for packing, instead of a malloc per call. */
function createScratch(runtime: WasmRuntime): (bytes: number) => number {
  let size = 0;
  let start = 0;
  return (bytes) => {
    if (bytes > size) {
      if (size > 0) runtime._free(start);
      start = runtime._malloc(bytes) >>> 0;
      if (start === 0) throw new Error(`scratch: expected ${bytes} bytes of wasm memory, the allocator refused`);
      size = bytes;
    }
    return start;
  };
}
