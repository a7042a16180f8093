/**
 * `npm run bench -- kernels [--build simd] [--rounds 40]`: the speed of the kernels inside workerd, at the shapes of training
 * and decoding. The peak rate of 128-bit multiply-adds is measured in turns with each kernel. Compare shares of the peak
 * instead of GFLOPS, because other work on the machine slows both. Other work slows loads more than arithmetic, and for
 * seconds at a time. So the bench passes over all rows several times and takes the best speed of each kernel and the best peak
 * of its rounds.
 */
import { join } from "node:path";
import { createTestHarness } from "wrangler";
import type { Print } from "../cli/runner.ts";
import type { Measured } from "./workers/kernels.ts";

const CONFIG = join(import.meta.dirname, "workers", "kernels.toml");
/** The best round counts. On a busy machine, more rounds are more likely to find a quiet moment. */
const ROUNDS = 40;
const PASSES = 5;

interface Row extends Measured {
  /** Share of the peak, for rows that count operations. */
  share?: number;
  tfjsShare?: number;
}

export const FLAGS = { build: "relaxed", rounds: ROUNDS };

export async function run({ build, rounds }: typeof FLAGS, print: Print): Promise<Record<string, unknown>> {
  if (build !== "relaxed" && build !== "simd") throw new Error(`bench kernels: expected --build relaxed or simd, got ${build}`);
  if (rounds < 1) throw new Error(`bench kernels: expected --rounds of at least 1, got ${rounds}`);
  const server = createTestHarness({ workers: [{ configPath: CONFIG }] });
  await server.listen();
  const best: Measured[] = [];
  try {
    const names = (await (await server.fetch("http://bench/")).json()) as string[];
    for (let pass = 1; pass <= PASSES; pass++) {
      print(`pass ${pass} of ${PASSES}`);
      for (const index of names.keys()) {
        const response = await server.fetch(`http://bench/${index}?build=${build}&rounds=${Math.ceil(rounds / PASSES)}`);
        if (!response.ok) throw new Error(`bench kernels: expected row ${index} to be measured, got ${response.status}`);
        const measured = (await response.json()) as Measured;
        best[index] = best[index] === undefined ? measured : better(best[index], measured);
      }
    }
  } finally {
    await server.close();
  }
  const rows = best.map(withShares);
  print(`${"kernel".padEnd(28)}${"shape".padEnd(38)}${"rate".padStart(14)}${"share".padStart(8)}${"in tfjs".padStart(9)}`);
  for (const row of rows) print(format(row));
  const training = rows.filter((row) => row.isTraining);
  const worst = training.reduce((least, row) => (row.share! < least.share! ? row : least));
  const peakGflops = Math.max(...rows.map((row) => row.peakGflops));
  print(`Peak ${peakGflops.toFixed(1)} GFLOPS; worst matMul of training: ${percent(worst.share)} of it (${worst.kernel} ${worst.shape}).`);
  return { build, peakGflops, worstMatMulShare: worst.share, worstMatMul: `${worst.kernel} ${worst.shape}`, rows };
}

/** The better figures of two measurements of a row. */
function better(a: Measured, b: Measured): Measured {
  return {
    ...a,
    rate: Math.max(a.rate, b.rate),
    ...(a.tfjsRate === undefined ? {} : { tfjsRate: Math.max(a.tfjsRate, b.tfjsRate ?? 0) }),
    peakGflops: Math.max(a.peakGflops, b.peakGflops),
    milliseconds: Math.min(a.milliseconds, b.milliseconds),
  };
}

function withShares(row: Measured): Row {
  if (row.unit !== "GFLOPS") return row;
  const through = row.tfjsRate === undefined ? {} : { tfjsShare: row.tfjsRate / row.peakGflops };
  return { ...row, share: row.rate / row.peakGflops, ...through };
}

function percent(share: number | undefined): string {
  return share === undefined ? "" : `${(share * 100).toFixed(0)} %`;
}

function format({ kernel, transposition, shape, rate, unit, share, tfjsShare }: Row): string {
  const name = `${kernel} ${transposition}`.padEnd(28);
  const speed = `${rate.toFixed(1)} ${unit}`.padStart(14);
  return `${name}${shape.padEnd(38)}${speed}${percent(share).padStart(8)}${percent(tfjsShare).padStart(9)}`;
}
