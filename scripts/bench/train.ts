/**
 * `npm run bench -- train [--preset NAME] [--batch N] [--blocks N] [--json]`: a full training step inside workerd, compared
 * with the same step on tfjs's unmodified wasm backend. Both take turns within one run. The default is nanoGPT's CPU shape,
 * 768 tokens a step. The main figures are for AdamW, which is nanoGPT's recipe and the cheapest optimizer. Figures for Muon,
 * which the presets use, are printed too. The bench also runs `kernels`, so that matMul and the peak come from the same
 * machine and moment.
 */
import { join } from "node:path";
import { createTestHarness } from "wrangler";
import { presetOf } from "../../shared/config.ts";
import type { Print } from "../cli/runner.ts";
import { childMemory } from "./support/process-memory.ts";
import { run as benchKernels } from "./kernels.ts";
import type { Steps } from "./workers/train.ts";

const STEPS_PER_BLOCK = 10;
const OPTIMIZERS = ["adamw", "muon"] as const;
const MIB = 2 ** 20;

type Four = [number, number, number, number];

/**
 * The mean of the middle half of the values. Like a median, it resists outliers. But workerd's clock counts whole
 * milliseconds, so a median would be a whole number, with an error of up to 1 %.
 */
function midmean(values: readonly number[]): number {
  const quarter = Math.floor(values.length / 4);
  const middle = values.toSorted((a, b) => a - b).slice(quarter, values.length - quarter);
  return middle.reduce((sum, value) => sum + value, 0) / middle.length;
}

/** Batch 0 means the preset's own batch. */
export const FLAGS = { preset: "shakespeare-char", batch: 0, blocks: 5 };

export async function run(flags: typeof FLAGS, print: Print): Promise<Record<string, unknown>> {
  const { preset: name, blocks } = flags;
  const { model, training } = presetOf(name);
  const batch = flags.batch === 0 ? training.batch : flags.batch;
  const tokens = batch * model.context;
  const configs = ["train.toml", "train-stock.toml"].map((file) => ({ configPath: join(import.meta.dirname, "workers", file) }));
  const server = createTestHarness({ workers: configs });
  await server.listen();
  try {
    const idle = childMemory("workerd");
    const steps = async (worker: string, optimizer: string, count: number): Promise<Steps> => {
      const query = new URLSearchParams({ preset: name, optimizer, steps: String(count), batch: String(batch) });
      const response = await server.getWorker(worker).fetch(`http://bench/?${query}`);
      if (!response.ok) throw new Error(`bench train: expected steps from ${worker}, got ${response.status}: ${await response.text()}`);
      return (await response.json()) as Steps;
    };
    const ours = (optimizer: string) => steps("tiffin-train-bench", optimizer, STEPS_PER_BLOCK);
    const stock = (optimizer: string) => steps("tiffin-train-bench-stock", optimizer, 1);
    // The engine optimizes the kernels during the first steps.
    let last = await ours("adamw");
    const resident = childMemory("workerd") - idle;
    for (const warm of [ours, stock]) for (const optimizer of OPTIMIZERS) await warm(optimizer);
    const series = OPTIMIZERS.flatMap((optimizer) => [
      { head: `${optimizer}, ms`, optimizer, measure: ours, times: [] as number[] },
      { head: `stock ${optimizer}, ms`, optimizer, measure: stock, times: [] as number[] },
    ]);
    print(`block ${series.map(({ head }) => head.padStart(16)).join("")}`);
    for (let block = 1; block <= blocks; block++) {
      const row: string[] = [];
      for (const { measure, optimizer, times } of series) {
        const done = await measure(optimizer);
        if (measure === ours && optimizer === "adamw") last = done;
        times.push(...done.milliseconds);
        row.push(midmean(done.milliseconds).toFixed(1).padStart(16));
      }
      print(`${String(block).padEnd(6)}${row.join("")}`);
    }
    const [msPerStep, stockMsPerStep, muonMsPerStep, stockMuonMsPerStep] = series.map(({ times }) => midmean(times)) as Four;
    const [best, bestStock, bestMuon, bestStockMuon] = series.map(({ times }) => Math.min(...times)) as Four;
    const kernels = await benchKernels({ build: "relaxed", rounds: 20 }, () => undefined);
    const rows = (kernels["rows"] as { isTraining: boolean; rate: number; milliseconds: number }[]).filter((row) => row.isTraining);
    const work = rows.reduce((sum, row) => sum + row.rate * row.milliseconds, 0);
    const matmulGflops = work / rows.reduce((sum, row) => sum + row.milliseconds, 0);
    const result = {
      msPerStep,
      bestMsPerStep: best,
      tokensPerSecond: Math.round((tokens * 1000) / msPerStep),
      stockMsPerStep,
      bestStockMsPerStep: bestStock,
      speedup: stockMsPerStep / msPerStep,
      bestSpeedup: bestStock / best,
      muonMsPerStep,
      bestMuonMsPerStep: bestMuon,
      muonSpeedup: stockMuonMsPerStep / muonMsPerStep,
      bestMuonSpeedup: bestStockMuon / bestMuon,
      matmulGflops,
      peakGflops: kernels["peakGflops"],
      wasmMB: last.wasmBytes / MIB,
      // Memory without wasm: workerd's resident set minus its idle baseline, measured before the stock isolate has done any
      // work.
      heapMB: (resident - last.wasmBytes) / MIB,
      parameters: last.parameters,
      tensors: last.tensors,
    };
    print(
      `${msPerStep.toFixed(1)} ms per step of ${tokens} tokens, ${result.speedup.toFixed(1)} times stock; ${result.wasmMB.toFixed(1)} MB of wasm memory`,
    );
    return result;
  } finally {
    await server.close();
  }
}
