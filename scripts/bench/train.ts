/**
 * `npm run bench -- train [--preset NAME] [--blocks N] [--json]`: a full training step inside workerd, beside the same step
 * on tfjs's unmodified wasm backend, in turns in one run. By default nanoGPT's CPU shape, 768 tokens a step.
 * matMul and peak come from `npm run bench -- kernels`, run here too, so that all figures are of one machine and moment.
 */
import { join } from "node:path";
import { createTestHarness } from "wrangler";
import { presetOf } from "../../shared/config.ts";
import type { Flags, Print } from "../named.ts";
import { childMemory } from "../process-memory.ts";
import { run as benchKernels } from "./kernels.ts";
import type { Steps } from "./workers/train.ts";

const STEPS_PER_BLOCK = 10;
const MIB = 2 ** 20;

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

export async function run(flags: Flags, print: Print): Promise<Record<string, unknown>> {
  const name = flags["preset"] ?? "shakespeare-char";
  const { model, training } = presetOf(name);
  const batch = Number(flags["batch"] ?? training.batch);
  const tokens = batch * model.context;
  const blocks = Number(flags["blocks"] ?? 5);
  const configs = ["train.toml", "train-stock.toml"].map((file) => ({ configPath: join(import.meta.dirname, "workers", file) }));
  const server = createTestHarness({ workers: configs });
  await server.listen();
  try {
    const idle = childMemory("workerd");
    const steps = async (worker: string, count: number): Promise<Steps> => {
      const response = await server.getWorker(worker).fetch(`http://bench/?preset=${name}&steps=${count}&batch=${batch}`);
      if (!response.ok) throw new Error(`bench train: expected steps from ${worker}, got ${response.status}: ${await response.text()}`);
      return (await response.json()) as Steps;
    };
    const ours = (count: number) => steps("tiffin-train-bench", count);
    const stock = (count: number) => steps("tiffin-train-bench-stock", count);
    // The first steps compile the kernels for speed.
    let last = await ours(STEPS_PER_BLOCK);
    const resident = childMemory("workerd") - idle;
    await stock(1);
    const times = { ours: [] as number[], stock: [] as number[] };
    print(`${"block".padEnd(8)}${"ours, ms per step".padStart(20)}${"stock, ms per step".padStart(20)}`);
    for (let block = 1; block <= blocks; block++) {
      last = await ours(STEPS_PER_BLOCK);
      const other = await stock(1);
      times.ours.push(...last.milliseconds);
      times.stock.push(...other.milliseconds);
      print(
        `${String(block).padEnd(8)}${median(last.milliseconds).toFixed(0).padStart(20)}${median(other.milliseconds).toFixed(0).padStart(20)}`,
      );
    }
    const [msPerStep, stockMsPerStep] = [median(times.ours), median(times.stock)];
    const kernels = await benchKernels({ rounds: "20" }, () => undefined);
    const rows = (kernels["rows"] as { isTraining: boolean; rate: number; milliseconds: number }[]).filter((row) => row.isTraining);
    const work = rows.reduce((sum, row) => sum + row.rate * row.milliseconds, 0);
    const matmulGflops = work / rows.reduce((sum, row) => sum + row.milliseconds, 0);
    const result = {
      msPerStep,
      bestMsPerStep: Math.min(...times.ours),
      tokensPerSecond: Math.round((tokens * 1000) / msPerStep),
      stockMsPerStep,
      bestStockMsPerStep: Math.min(...times.stock),
      speedup: stockMsPerStep / msPerStep,
      bestSpeedup: Math.min(...times.stock) / Math.min(...times.ours),
      matmulGflops,
      peakGflops: kernels["peakGflops"],
      wasmMB: last.wasmBytes / MIB,
      // What the isolate holds beside wasm memory: workerd's resident set over its idle baseline, before the stock isolate worked.
      heapMB: (resident - last.wasmBytes) / MIB,
      parameters: last.parameters,
      tensors: last.tensors,
    };
    print(
      `${msPerStep} ms per step of ${tokens} tokens, ${result.speedup.toFixed(1)} times stock; ${result.wasmMB.toFixed(1)} MB of wasm memory`,
    );
    return result;
  } finally {
    await server.close();
  }
}
