/**
 * The Worker of `npm run bench -- kernels`. GET / lists the rows. GET /INDEX?build=relaxed|simd&rounds=N measures a row and
 * the processor's peak. Kernels run on their own memory. A matMul is also measured through tfjs, including tfjs's overhead.
 */
import * as tf from "@tensorflow/tfjs-core";
import { useKernels } from "../../../shared/tensor/engine/backend.ts";
import relaxed from "../../../shared/tensor/kernels/kernels-relaxed.wasm";
import simd from "../../../shared/tensor/kernels/kernels-simd.wasm";
import type { KernelExports } from "../../../shared/tensor/engine/kernel-exports.ts";
import { instantiateKernels } from "../../../shared/tensor/engine/kernel-instance.ts";
import { ROWS, SCRATCH, type Row } from "./kernel-rows.ts";
import { bestTimes } from "./stopwatch.ts";

const MEMORY_PAGES = 1536; // 96 MiB
const PEAK_ROUNDS = 10_000;

/** The result of one row. Rates are in 10^9 operations or bytes per second. */
export interface Measured {
  kernel: string;
  shape: string;
  transposition: string;
  unit: "GFLOPS" | "GB/s";
  rate: number;
  peakGflops: number;
  /** The rate of the same product through tfjs, for matMul rows. */
  tfjsRate?: number;
  milliseconds: number;
  isTraining: boolean;
}

let memory: WebAssembly.Memory | null = null;

/**
 * Instantiates a build on the one memory. The memory holds ordinary numbers, because zeros, infinities and denormals have
 * other speeds.
 */
function instantiate(build: WebAssembly.Module): KernelExports {
  if (memory === null) {
    memory = new WebAssembly.Memory({ initial: MEMORY_PAGES });
    new Float32Array(memory.buffer).forEach((_, index, all) => (all[index] = Math.sin(index)));
  }
  return instantiateKernels(memory, build);
}

function throughTfjs({ matMul }: Row): (() => void) | null {
  if (matMul === undefined) return null;
  const { m, n, k, transposeA, transposeB } = matMul;
  const a = tf.randomNormal<tf.Rank.R2>(transposeA ? [k, m] : [m, k]);
  const b = tf.randomNormal<tf.Rank.R2>(transposeB ? [n, k] : [k, n]);
  return () => tf.matMul(a, b, transposeA, transposeB).dispose();
}

function measure(row: Row, build: WebAssembly.Module, rounds: number): Measured {
  const kernels = instantiate(build);
  const { peak } = instantiate(relaxed);
  const peakFlops = peak(PEAK_ROUNDS, SCRATCH);
  const works = [() => void peak(PEAK_ROUNDS, SCRATCH), () => row.run(kernels)];
  row.prepare?.(kernels);
  const tfjs = throughTfjs(row);
  const [peakTime, milliseconds, tfjsTime] = bestTimes(tfjs === null ? works : [...works, tfjs], rounds) as [number, number, number?];
  const peakGflops = peakFlops / peakTime / 1e6;
  const { kernel, shape, transposition = "", isTraining = false } = row;
  const common = { kernel, shape, transposition, isTraining, peakGflops, milliseconds };
  if (row.flops === undefined) return { ...common, unit: "GB/s", rate: row.bytes! / milliseconds / 1e6 };
  const through = tfjsTime === undefined ? {} : { tfjsRate: row.flops / tfjsTime / 1e6 };
  return { ...common, ...through, unit: "GFLOPS", rate: row.flops / milliseconds / 1e6 };
}

export default {
  async fetch(request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/") return Response.json(ROWS.map(({ kernel, shape }) => `${kernel} ${shape}`));
    const row = ROWS[Number(pathname.slice(1))];
    if (row === undefined) return new Response(`expected a row from 0 to ${ROWS.length - 1}, got ${pathname}`, { status: 404 });
    const build = searchParams.get("build") === "simd" ? simd : relaxed;
    await useKernels(build);
    tf.engine().startScope();
    const measured = measure(row, build, Number(searchParams.get("rounds")));
    tf.engine().endScope();
    return Response.json(measured);
  },
} satisfies ExportedHandler;
