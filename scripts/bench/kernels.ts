/**
 * `npm run bench -- kernels [--build simd] [--rounds 40]`: speed of the kernels inside workerd, at the shapes of training and decoding,
 * beside the processor's peak of 128-bit multiply-adds, measured in turns with them. Compare shares, not GFLOPS: other work
 * on the machine slows both.
 */
import { join } from "node:path";
import { createTestHarness } from "wrangler";
import type { Flags, Print } from "../named.ts";
import type { Measured } from "./workers/kernels.ts";

const CONFIG = join(import.meta.dirname, "workers", "kernels.toml");
/** Rounds of which the best counts: on a machine with other work, more of them find a quiet moment. */
const ROUNDS = 40;

export async function run(flags: Flags, print: Print): Promise<Record<string, unknown>> {
  const build = flags["build"] ?? "relaxed";
  if (build !== "relaxed" && build !== "simd") throw new Error(`bench kernels: expected --build relaxed or simd, got ${build}`);
  const rounds = Number(flags["rounds"] ?? ROUNDS);
  if (!(rounds >= 1)) throw new Error(`bench kernels: expected --rounds of at least 1, got ${flags["rounds"]}`);
  const server = createTestHarness({ workers: [{ configPath: CONFIG }] });
  await server.listen();
  const rows: Measured[] = [];
  try {
    const names = (await (await server.fetch("http://bench/")).json()) as string[];
    print(`${"kernel".padEnd(28)}${"shape".padEnd(38)}${"rate".padStart(14)}${"share".padStart(8)}${"in tfjs".padStart(9)}`);
    for (const index of names.keys()) {
      const response = await server.fetch(`http://bench/${index}?build=${build}&rounds=${rounds}`);
      if (!response.ok) throw new Error(`bench kernels: expected row ${index} to be measured, got ${response.status}`);
      const row = (await response.json()) as Measured;
      rows.push(row);
      print(format(row));
    }
  } finally {
    await server.close();
  }
  const training = rows.filter((row) => row.isTraining);
  const worst = training.reduce((least, row) => (row.share! < least.share! ? row : least));
  const peakGflops = Math.max(...rows.map((row) => row.peakGflops));
  print(`Peak ${peakGflops.toFixed(1)} GFLOPS; worst matMul of training: ${percent(worst.share)} of it (${worst.kernel} ${worst.shape}).`);
  return { build, peakGflops, worstMatMulShare: worst.share, worstMatMul: `${worst.kernel} ${worst.shape}`, rows };
}

function percent(share: number | undefined): string {
  return share === undefined ? "" : `${(share * 100).toFixed(0)} %`;
}

function format({ kernel, transposition, shape, rate, unit, share, tfjsShare }: Measured): string {
  const name = `${kernel} ${transposition}`.padEnd(28);
  const speed = `${rate.toFixed(1)} ${unit}`.padStart(14);
  return `${name}${shape.padEnd(38)}${speed}${percent(share).padStart(8)}${percent(tfjsShare).padStart(9)}`;
}
