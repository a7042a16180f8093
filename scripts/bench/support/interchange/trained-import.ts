/**
 * Imports a model with random weights (bfloat16, sharded, tied) by `npm run import`'s own script, trains it for 20 rounds, and
 * compares the logits of the exported result in llama.cpp with ours. It runs on a state of its own, so the user's active model
 * stays active.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { answerSchema } from "../../../../shared/contracts/generate.ts";
import { startedRunSchema } from "../../../../shared/contracts/runs.ts";
import { descriptionFiles } from "../../../../shared/interchange/hugging-face.ts";
import { bytesOfFile } from "../../../../shared/interchange/output-file.ts";
import { safetensorsFiles } from "../../../../shared/interchange/safetensors-writer.ts";
import { Client } from "../../../local/client.ts";
import { isDone, pollRun } from "../../../local/poll-run.ts";
import { startLocal } from "../../../local/stack.ts";
import { ROOT } from "../../../local/workers.ts";
import { randomModel } from "./random-model.ts";

const ROUNDS = 20;
const BATCH = 2;
const CONTEXT = 32;
const FOLDER = join(ROOT, ".tiffin", "interchange");

export interface TrainedImport {
  rounds: number;
  config: ReturnType<typeof randomModel>["config"];
  safetensors: Uint8Array;
  gguf: Uint8Array;
}

export async function trainImport(): Promise<TrainedImport> {
  const model = randomModel({ context: CONTEXT, tiedEmbeddings: true }, "BF16", 4);
  mkdirSync(FOLDER, { recursive: true });
  const folder = mkdtempSync(join(FOLDER, "import-"));
  const state = join(folder, "state");
  for (const file of [...descriptionFiles(model, "BF16"), ...safetensorsFiles(model, "BF16", 40_000)]) {
    const path = join(folder, "model", file.path);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, await bytesOfFile(file));
  }
  const local = await startLocal({ trainers: 1, state, fresh: true });
  try {
    const args = [join(ROOT, "scripts/import.ts"), join(folder, "model"), "--activate", "--url", local.url];
    const from = execFileSync(process.execPath, args, { encoding: "utf8", env: { ...process.env, OPERATOR_TOKEN: local.token } }).trim();
    const client = new Client(local.url, local.token);
    const { model: served } = await client.call("POST", "/generate", answerSchema, { text: "the", maxTokens: 4 });
    if (served !== from) throw new Error(`trained import: expected answers of ${from}, got those of ${served}`);
    for (const file of ["README.md", "scripts/bench/README.md"])
      await client.call(
        "PUT",
        `/uploads/bench/${dirname(file).replaceAll(/\W/g, "")}a.md`,
        z.unknown(),
        new Uint8Array(readFileSync(join(ROOT, file))),
      );
    const request = { from, preset: "tiny", batch: BATCH, shards: 1, steps: 1, tokens: ROUNDS * BATCH * CONTEXT };
    const { run } = await client.call("POST", "/runs", startedRunSchema, request);
    const status = await pollRun(client, run, isDone, { pollMs: 250 });
    const files = `/hub/tiffin/${status.checkpoint}/resolve/main`;
    const isPublished = async () => JSON.parse(await client.send("GET", "/models")) as { model: string }[];
    while (!(await isPublished()).some(({ model: hash }) => hash === status.checkpoint))
      await new Promise((resolve) => setTimeout(resolve, 250));
    const read = async (path: string) => {
      const response = await fetch(local.url + path, { headers: { authorization: `Bearer ${local.token}` } });
      if (!response.ok) throw new Error(`GET ${path}: expected 200, got ${response.status}`);
      return new Uint8Array(await response.arrayBuffer());
    };
    return {
      rounds: status.round ?? 0,
      config: model.config,
      safetensors: await read(`${files}/model.safetensors`),
      gguf: await read(`/models/${status.checkpoint}/export?format=gguf&type=F32`),
    };
  } finally {
    await local.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
