/**
 * `npm run bench -- diloco [--tokens N] [--shards 1,2,4,8] [--steps 1,10,50] [--outer LR,MOMENTUM] [--fresh] [--text FILE]
 * [--json]`: how much loss local steps cost. By default the outer step is the mean of the shards; DiLoCo's published outer
 * step is 0.7,0.9.
 * Prints the validation loss on the characters of tinyshakespeare for each number of shards and local steps, at equal total
 * tokens and at equal tokens per shard. The bench runs the product's own arithmetic in a plain loop in workerd, with one
 * process per core. Each result is kept under .tiffin/diloco, so an interrupted bench continues.
 *
 * The model has half the width of preset shakespeare-char, because the full table takes 44 M tokens.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { createTestHarness } from "wrangler";
import { canonicalJson } from "../../shared/artifacts.ts";
import { presetOf, supervisionConfigSchema, trainingConfigSchema, type OptimizerConfig } from "../../shared/config.ts";
import { parameterCount } from "../../shared/model/weights.ts";
import { totalRounds } from "../../shared/training/compute/rounds.ts";
import type { RunSpec } from "../../shared/training/protocol/run-state.ts";
import { charTokens } from "./support/char-dataset.ts";
import type { Print } from "../cli/runner.ts";
import { duration } from "../cli/progress.ts";
import { readText, SHAKESPEARE } from "./support/shakespeare.ts";
import { ROOT } from "../local/workers.ts";
import type { Progress } from "./workers/diloco/loop.ts";

const FOLDER = join(ROOT, ".tiffin", "diloco");
const TOKENS = 3_000_000;
const SEED = 1;
/** A request computes for this long. Progress is printed between requests. */
const TURN_SECONDS = 5;
const REPORT_MS = 15_000;
/** The bench fails above this ratio of losses: two shards with ten local steps against one worker, at equal total tokens. */
const MAX_LOSS_RATIO = 1.02;
const PRESET = presetOf("shakespeare-char");
const MODEL = { ...PRESET.model, vocabSize: PRESET.vocabSize, width: 64, mlpWidth: 176, heads: 2, kvHeads: 2 };

interface Cell {
  shards: number;
  steps: number;
  tokens: number;
}

interface Result extends Cell {
  valLoss: number;
  rounds: number;
  seconds: number;
}

/** Every shard takes the preset's batch in every step. In exact mode (one step) `batch` counts the sequences of all shards. */
function specOf({ shards, steps, tokens }: Cell, outer: OptimizerConfig): RunSpec {
  const batch = steps === 1 ? PRESET.training.batch * shards : PRESET.training.batch;
  const training = trainingConfigSchema.parse({ ...PRESET.training, outer, shards, steps, batch, tokens, seed: SEED });
  const none = "0".repeat(64);
  const named = { run: "bench", preset: "shakespeare-char", dataset: none, tokenizer: none };
  return { ...named, model: MODEL, training, supervision: supervisionConfigSchema.parse({}), rounds: totalRounds(training, MODEL) };
}

const cachePath = (spec: RunSpec) => join(FOLDER, `${createHash("sha256").update(canonicalJson(spec)).digest("hex")}.json`);

/** A workerd process that has loaded the text. */
async function startWorker(train: Uint16Array, val: Uint16Array) {
  const server = createTestHarness({ workers: [{ configPath: join(import.meta.dirname, "workers/diloco/wrangler.toml") }] });
  await server.listen();
  const call = async (path: string, body: string | Uint16Array<ArrayBuffer> = ""): Promise<string> => {
    const response = await server.fetch(`http://diloco${path}`, { method: "POST", body });
    const text = await response.text();
    if (!response.ok) throw new Error(`diloco ${path}: expected 200, got ${response.status}: ${text}`);
    return text;
  };
  await call("/tokens?part=train", train as Uint16Array<ArrayBuffer>);
  await call("/tokens?part=val", val as Uint16Array<ArrayBuffer>);
  return { call, close: () => server.close() };
}

/** Parses an outer optimizer like 0.7,0.9: Nesterov's learning rate and momentum. */
function outerOf(list: string): OptimizerConfig {
  const [lr, momentum] = list.split(",").map(Number);
  return trainingConfigSchema.shape.outer.parse({ name: "nesterov", lr, momentum });
}

function numbers(list: string): number[] {
  const values = list.split(",").map(Number);
  if (!values.every((value) => Number.isSafeInteger(value) && value > 0)) throw new Error(`expected whole numbers like 1,2,4, got ${list}`);
  return values;
}

function table(title: string, cells: readonly Result[], shards: readonly number[], steps: readonly number[]): string {
  const lossOf = (of: number, step: number) => cells.find((cell) => cell.shards === of && cell.steps === step)?.valLoss.toFixed(4) ?? "-";
  const rows = shards.map((of) => [`${of}`, ...steps.map((step) => lossOf(of, step))]);
  return [
    title,
    ...[["shards", ...steps.map((step) => `${step} steps`)], ...rows].map((row) => row.map((text) => text.padStart(10)).join("")),
  ].join("\n");
}

export const FLAGS = { tokens: TOKENS, shards: "1,2,4,8", steps: "1,10,50", outer: "1,0", fresh: false, text: SHAKESPEARE };

export async function run(flags: typeof FLAGS, print: Print): Promise<Record<string, unknown>> {
  const total = flags.tokens;
  const shards = numbers(flags.shards);
  const steps = numbers(flags.steps);
  const outer = outerOf(flags.outer);
  const spec = (cell: Cell) => specOf(cell, outer);
  if (flags.fresh) rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
  const perShard = Math.ceil(total / Math.max(...shards));
  const cells = (tokensOf: (of: number) => number): Cell[] =>
    shards.flatMap((of) => steps.map((step) => ({ shards: of, steps: step, tokens: tokensOf(of) })));
  const equalTotal = cells(() => total);
  const equalPerShard = cells((of) => Math.min(total, perShard * of));
  const wanted = [...new Map([...equalTotal, ...equalPerShard].map((cell) => [cachePath(spec(cell)), cell])).values()];
  const known = new Map<string, Result>();
  const read = (cell: Cell): Result | null => {
    const path = cachePath(spec(cell));
    if (!known.has(path) && existsSync(path)) known.set(path, JSON.parse(readFileSync(path, "utf8")) as Result);
    return known.get(path) ?? null;
  };
  // The longest cells come first, so no core is left with a long cell at the end.
  const todo = wanted.filter((cell) => read(cell) === null).toSorted((a, b) => b.tokens - a.tokens);
  let left = todo.reduce((sum, cell) => sum + cell.tokens, 0);
  print(
    `${MODEL.layers} layers of width ${MODEL.width}, ${parameterCount(MODEL)} parameters; ${wanted.length} cells, ${todo.length} to compute, ${left} tokens`,
  );

  const { train, val } = charTokens(readText(flags.text));
  const startedAt = Date.now();
  let done = 0;
  let reportedAt = startedAt;
  const computeCells = async (): Promise<void> => {
    const worker = await startWorker(train, val);
    try {
      for (let cell = todo.shift(); cell !== undefined; cell = todo.shift()) {
        const cellAt = Date.now();
        await worker.call("/begin", JSON.stringify(spec(cell)));
        let before = 0;
        for (;;) {
          const progress = JSON.parse(await worker.call(`/rounds?seconds=${TURN_SECONDS}`)) as Progress;
          done += progress.tokens - before;
          left -= progress.tokens - before;
          before = progress.tokens;
          if (progress.valLoss !== null) {
            const result: Result = { ...cell, valLoss: progress.valLoss, rounds: progress.rounds, seconds: (Date.now() - cellAt) / 1000 };
            writeFileSync(cachePath(spec(cell)), JSON.stringify(result));
            print(`${cell.shards} shards, ${cell.steps} steps, ${cell.tokens} tokens: validation loss ${result.valLoss.toFixed(4)}`);
            break;
          }
          if (Date.now() - reportedAt > REPORT_MS) {
            reportedAt = Date.now();
            const rate = (done * 1000) / (Date.now() - startedAt);
            print(
              `${Math.round(rate)} tokens/s, ${duration(Math.max(0, left) / rate)} left; ${cell.shards} x ${cell.steps} at round ${progress.round} of ${progress.rounds}, loss ${progress.loss.toFixed(3)}`,
            );
          }
        }
      }
    } finally {
      await worker.close();
    }
  };
  await Promise.all(Array.from({ length: Math.min(todo.length, availableParallelism()) }, computeCells));

  const [inAll, each] = [equalTotal.map((cell) => read(cell)!), equalPerShard.map((cell) => read(cell)!)];
  print(table(`at ${total} tokens in total`, inAll, shards, steps));
  print(table(`at ${perShard} tokens per shard`, each, shards, steps));
  const lossOf = (of: number, step: number) => inAll.find((cell) => cell.shards === of && cell.steps === step)?.valLoss;
  const [one, two] = [lossOf(1, 1), lossOf(2, 10)];
  const ratio = one === undefined || two === undefined ? null : two / one;
  return {
    parameters: parameterCount(MODEL),
    outer,
    equalTotal: inAll,
    equalPerShard: each,
    twoShardsTenStepsOverOneWorker: ratio,
    ok: ratio === null || ratio <= MAX_LOSS_RATIO,
  };
}
