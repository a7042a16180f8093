/**
 * Kernels write only to their outputs and their scratch. Here they run on their own memory, with guard bytes around every
 * operand. In tfjs's memory, scratch, which never shrinks, would hide a write outside an operand.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { KernelExports } from "../../../../shared/tensor/engine/kernel-exports.ts";
import { instantiateKernels } from "../../../../shared/tensor/engine/kernel-instance.ts";
import { NONE, pointer, type Pointer } from "../../../../shared/tensor/engine/wasm-runtime.ts";
import { BUILDS } from "../compare.ts";

const PAGE_BYTES = 65_536;
/** The first free address above the kernels' working memory (kernels/gemm/layout.ts). */
const FIRST = 1 << 20;
const GUARD_BYTES = 512;
const GUARD = 0xa5;

/** Allocates memory with guard bytes before and after it: `bytes` gives empty bytes, `floats` gives float32 numbers. */
interface Rooms {
  bytes(count: number): Pointer;
  floats(count: number): Pointer;
}

/** Calls kernels and returns the number of changed guard bytes. */
function changedBetween(module: WebAssembly.Module, call: (kernels: KernelExports, rooms: Rooms) => void): number {
  const memory = new WebAssembly.Memory({ initial: FIRST / PAGE_BYTES });
  const guards: [start: number, end: number][] = [];
  const guard = (start: number, end: number): void => {
    const missing = Math.ceil((end - memory.buffer.byteLength) / PAGE_BYTES);
    if (missing > 0) memory.grow(missing);
    new Uint8Array(memory.buffer, start, end - start).fill(GUARD);
    guards.push([start, end]);
  };
  guard(FIRST, FIRST + GUARD_BYTES);
  const room = (count: number): Pointer => {
    const start = guards.at(-1)![1];
    guard(start + count, (start + count + GUARD_BYTES + 15) & ~15);
    return pointer(start);
  };
  const floats = (count: number): Pointer => {
    const start = room(4 * count);
    const values = new Float32Array(memory.buffer, start, count);
    for (let at = 0; at < count; at++) values[at] = Math.sin(at + 1);
    return start;
  };
  call(instantiateKernels(memory, module), { bytes: room, floats });
  const after = new Uint8Array(memory.buffer);
  return guards.reduce((sum, [start, end]) => sum + after.subarray(start, end).filter((byte) => byte !== GUARD).length, 0);
}

const side = fc.constantFrom(1, 2, 3, 4, 5, 8, 33, 64, 65, 128, 130, 144, 272, 391);
const few = fc.constantFrom(1, 2, 3);
const positions = fc.constantFrom(1, 2, 6, 7, 13, 64, 65, 130);
const even = fc.constantFrom(2, 6, 8, 14, 32);

describe.each(BUILDS)("kernels write nothing outside their operands, %s", (_, module) => {
  /** The number of guard bytes that a kernel changes. If there are any, fast-check prints the sizes. */
  function changed<T extends unknown[]>(
    sizes: { [I in keyof T]: fc.Arbitrary<T[I]> },
    call: (k: KernelExports, r: Rooms, ...of: T) => void,
  ) {
    let bytes = 0;
    const property = fc.property(fc.tuple(...sizes), (of) => {
      bytes = changedBetween(module, (kernels, rooms) => call(kernels, rooms, ...(of as T)));
      return bytes === 0;
    });
    fc.assert(property, { seed: 1, numRuns: 150 });
    return bytes;
  }

  test("products, alone or added to a matrix", () => {
    const beyond = changed<[number, number, number, boolean, boolean, boolean]>(
      [side, side, side, fc.boolean(), fc.boolean(), fc.boolean()],
      (kernels, { bytes, floats }, m, n, k, transposeA, transposeB, isAdded) => {
        const [aRow, aCol] = transposeA ? [1, m] : [k, 1];
        const [bRow, bCol] = transposeB ? [1, k] : [n, 1];
        const [a, b, from, out] = [floats(m * k), floats(k * n), isAdded ? floats(m * n) : NONE, bytes(4 * m * n)];
        const pack = bytes(kernels.matMulBytes(m, n, k, aRow, bCol));
        kernels.matMul(a, b, from, out, 1, m, n, k, 0, aRow, aCol, 0, bRow, bCol, pack);
      },
    );
    expect(beyond).toBe(0);
  });

  test("fused products that share a matrix", () => {
    const beyond = changed<[number, number, number, number, number]>(
      [side, side, side, side, fc.oneof(side, fc.constant(0))],
      (kernels, rooms, m, k, n0, n1, n2) => {
        const { bytes, floats } = rooms;
        const each = (room: (n: number) => Pointer) => [room(n0), room(n1), room(n2)] as const;
        const [weights, outs] = [each((n) => floats(n * k)), each((n) => bytes(4 * n * m))];
        const pack = bytes(kernels.fusedProjectionBytes(m, k, n0, n1, n2));
        kernels.fusedProjection(floats(m * k), ...weights, ...outs, m, k, n0, n1, n2, pack);
        const [dys, gradients] = [each((n) => floats(m * n)), each((n) => bytes(4 * n * k))];
        const scratch = bytes(kernels.fusedWeightGradsBytes(k, m, n0, n1, n2));
        kernels.fusedWeightGrads(floats(m * k), floats(m), floats(k), ...dys, ...gradients, k, m, n0, n1, n2, scratch);
      },
    );
    expect(beyond).toBe(0);
  });

  test("attention of new positions to all positions, and its gradient", () => {
    const beyond = changed<[number, number, number, number, number, number]>(
      [few, positions, fc.constantFrom(0, 1, 9), few, few, even],
      (kernels, { bytes, floats }, b, t, past, kv, group, d) => {
        const [s, h] = [t + past, kv * group];
        const [q, k, v] = [floats(b * t * h * d), floats(b * s * kv * d), floats(b * s * kv * d)];
        const [out, statistics] = [floats(b * t * h * d), floats(2 * b * t * h)];
        kernels.attention(q, k, v, out, statistics, b, t, s, h, kv, d, 0.5, false, bytes(kernels.attentionBytes(s, d, group)));
        const [dy, dq, dk, dv] = [floats(b * t * h * d), bytes(4 * b * t * h * d), bytes(4 * b * s * kv * d), bytes(4 * b * s * kv * d)];
        const scratch = bytes(kernels.attentionBackwardBytes(s, d));
        kernels.attentionBackward(q, k, v, out, statistics, dy, dq, dk, dv, b, t, s, h, kv, d, 0.5, false, scratch);
      },
    );
    expect(beyond).toBe(0);
  });

  test("attention with norms, and its gradient", () => {
    const beyond = changed<[number, number, number, number, number]>(
      [few, positions, few, few, even],
      (kernels, { bytes, floats }, b, t, kv, group, d) => {
        const h = kv * group;
        const [q, k, v] = [floats(b * t * h * d), floats(b * t * kv * d), floats(b * t * kv * d)];
        const [qWeight, kWeight, table] = [floats(d), floats(d), floats(t * d)];
        const [out, statistics] = [bytes(4 * b * t * h * d), bytes(8 * b * t * h)];
        const sizes = [t, h, kv, d] as const;
        const all = [b, ...sizes, 1e-6, 0.5] as const;
        kernels.normedAttention(q, k, v, qWeight, kWeight, table, out, statistics, ...all, bytes(kernels.normedAttentionBytes(...sizes)));
        const [dy, dqWeight, dkWeight] = [floats(b * t * h * d), bytes(4 * d), bytes(4 * d)];
        const scratch = bytes(kernels.normedAttentionBackwardBytes(...sizes));
        kernels.normedAttentionBackward(q, k, v, qWeight, kWeight, table, out, statistics, dy, dqWeight, dkWeight, ...all, scratch);
      },
    );
    expect(beyond).toBe(0);
  });

  test("Muon's update", () => {
    const beyond = changed<[number, number]>([side, side], (kernels, { bytes, floats }, rows, columns) => {
      const [weight, m, gradient] = [floats(rows * columns), floats(rows * columns), floats(rows * columns)];
      kernels.muonUpdate(weight, m, gradient, rows, columns, 0.1, 1, 0.9, bytes(kernels.muonBytes(rows, columns)));
    });
    expect(beyond).toBe(0);
  });
});
