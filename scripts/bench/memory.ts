/**
 * `npm run bench -- memory [--preset NAME [--layers N]] [--json]`: the memory that training takes, compared with the planner's
 * prediction. It is measured from outside (peak resident set of workerd minus its idle baseline) and inside (wasm memory). The
 * bench measures every preset, then `base` with more and more layers, up to the largest model within 110 MB.
 *
 * Column `steps` is training alone. Column `task` is the real trainer, which also reads weights and optimizer state and writes
 * the update and the state. Its coordinator shares the process, so the garbage of both isolates is counted.
 */
import { join } from "node:path";
import { createTestHarness } from "wrangler";
import { PRESETS, presetOf, type ModelConfig, type Preset } from "../../shared/config.ts";
import { estimateTaskMemory } from "../../shared/model/footprint/memory.ts";
import { parameterCount } from "../../shared/model/weights.ts";
import type { Print } from "../cli/runner.ts";
import { childMemory } from "./support/process-memory.ts";
import { serveTask } from "./support/memory-task.ts";
import type { Steps } from "./workers/train.ts";

const MIB = 2 ** 20;
const LIMIT_MB = 110;
const STEPS = 2;
const POLL_MS = 10;

interface Row {
  name: string;
  parameters: number;
  context: number;
  vocabulary: number;
  tokensPerStep: number;
  tokensPerSecond: number;
  stepsMB: number;
  taskMB: number;
  wasmMB: number;
  taskWasmMB: number;
  predictedWasmMB: number;
  predictedMB: number;
}

/**
 * Starts the Workers in a fresh workerd and runs `work` on the first of them. Returns the result and the peak memory above the
 * idle baseline.
 */
async function inOwnProcess<T>(
  files: readonly string[],
  work: (fetch: (path: string) => Promise<Response>) => Promise<T>,
): Promise<{ result: T; peakMB: number }> {
  const server = createTestHarness({ workers: files.map((file) => ({ configPath: join(import.meta.dirname, "workers", file) })) });
  try {
    await server.listen();
    const worker = server.getWorker();
    // The idle baseline: the isolates are loaded and have done nothing yet.
    await worker.fetch("http://bench/");
    const idle = childMemory("workerd");
    let peak = idle;
    const poll = setInterval(() => (peak = Math.max(peak, childMemory("workerd"))), POLL_MS);
    const ask = async (path: string) => {
      const response = await worker.fetch(`http://bench${path}`, { method: "POST" });
      if (!response.ok) throw new Error(`bench memory: expected an answer to ${path}, got ${response.status}: ${await response.text()}`);
      return response as unknown as Response;
    };
    const result = await work(ask).finally(() => clearInterval(poll));
    return { result, peakMB: (peak - idle) / MIB };
  } finally {
    await server.close();
  }
}

/** Measures training steps in one isolate, then a whole task in another. */
async function measure(name: string, preset: string, layers: number): Promise<Row> {
  const { model: shape, vocabSize, training: usual } = presetOf(preset);
  const model: ModelConfig = { ...shape, layers, vocabSize };
  const training: Preset["training"] & { seed: number; tokens: number } = { ...usual, seed: 1, tokens: 1e9, shards: 2, steps: STEPS };
  const steps = await inOwnProcess(["train.toml"], async (ask) => {
    return (await (await ask(`/?preset=${preset}&layers=${layers}&steps=${STEPS}`)).json()) as Steps;
  });
  const bench = serveTask(model, training);
  const task = await inOwnProcess(["memory/trainer.toml", "memory/coordinator.toml"], async (ask) => {
    return (await (await ask("/work")).json()) as { tasks: number; wasmBytes: number };
  }).finally(() => bench.close());
  if (task.result.tasks !== 1) throw new Error(`bench memory: expected a task of ${name} to be done, got ${task.result.tasks}`);
  const estimate = estimateTaskMemory(model, training);
  const tokensPerStep = training.batch * model.context;
  return {
    name,
    parameters: parameterCount(model),
    context: model.context,
    vocabulary: model.vocabSize,
    tokensPerStep,
    tokensPerSecond: Math.round((tokensPerStep * 1000) / Math.min(...steps.result.milliseconds)),
    stepsMB: steps.peakMB,
    taskMB: task.peakMB,
    wasmMB: steps.result.wasmBytes / MIB,
    taskWasmMB: task.result.wasmBytes / MIB,
    predictedWasmMB: estimate.wasm / MIB,
    predictedMB: estimate.total / MIB,
  };
}

const COLUMNS: readonly (readonly [title: string, cell: (row: Row) => string])[] = [
  ["name", ({ name }) => name],
  ["parameters", ({ parameters }) => parameters.toLocaleString("en")],
  ["context", ({ context }) => String(context)],
  ["vocabulary", ({ vocabulary }) => vocabulary.toLocaleString("en")],
  ["wasm MB", ({ wasmMB }) => wasmMB.toFixed(1)],
  ["predicted", ({ predictedWasmMB }) => predictedWasmMB.toFixed(1)],
  ["steps MB", ({ stepsMB }) => stepsMB.toFixed(1)],
  ["task MB", ({ taskMB }) => taskMB.toFixed(1)],
  ["predicted", ({ predictedMB }) => predictedMB.toFixed(1)],
  ["tokens/s", ({ tokensPerSecond }) => tokensPerSecond.toLocaleString("en")],
];

const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;

/** An empty preset means all presets. 0 layers means the preset's own number. */
export const FLAGS = { preset: "", layers: 0 };

export async function run({ preset, layers }: typeof FLAGS, print: Print): Promise<Record<string, unknown>> {
  const rows: Row[] = [];
  print(line(COLUMNS.map(([title]) => title)));
  print(line(COLUMNS.map(() => "---")));
  const add = async (name: string, of: string, deep: number) => {
    const row = await measure(name, of, deep);
    rows.push(row);
    print(line(COLUMNS.map(([, cell]) => cell(row))));
    return row;
  };
  const names = preset === "" ? Object.keys(PRESETS) : [preset];
  for (const name of names) {
    await add(layers === 0 ? name : `${name}, ${layers} layers`, name, layers === 0 ? presetOf(name).model.layers : layers);
  }
  if (preset !== "") return { rows };
  let largest = rows.find(({ name }) => name === "base")!;
  for (let more = presetOf("base").model.layers + 1; ; more++) {
    const row = await add(`base, ${more} layers`, "base", more);
    if (row.stepsMB > LIMIT_MB) break;
    largest = row;
  }
  // Wasm memory starts at 16 MB, so the prediction can only be checked for larger models.
  const errors = rows.filter(({ wasmMB }) => wasmMB > 16).map(({ wasmMB, predictedWasmMB }) => Math.abs(predictedWasmMB / wasmMB - 1));
  const ok = largest.parameters >= 6e6 && largest.stepsMB <= LIMIT_MB && largest.tokensPerStep >= 1024;
  return { limitMB: LIMIT_MB, largest, worstPrediction: Math.max(...errors), rows, ok };
}
