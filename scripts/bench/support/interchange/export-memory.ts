/** Measures the memory of an export of preset `base`: the peak of the Worker process's heaps minus their size before the export. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { presetOf } from "../../../../shared/config.ts";
import type { ExportFormat } from "../../../../shared/interchange/formats.ts";
import { partition } from "../../../../shared/model/formats/partition.ts";
import { encodeSafetensors } from "../../../../shared/model/formats/safetensors.ts";
import { stopProcesses } from "../../../local/processes.ts";
import { childMemory } from "../process-memory.ts";
import { startWorkerd } from "../workerd.ts";

const MIB = 2 ** 20;
const POLL_MS = 5;
const EXPORTS: readonly (readonly [format: ExportFormat, type: string])[] = [
  ["hf", "F32"],
  ["hf", "BF16"],
  ["gguf", "F32"],
  ["gguf", "F16"],
  ["gguf", "Q8_0"],
  ["onnx", "F32"],
  ["onnx", "INT8"],
];

/** Bytes that an export adds to its process at the peak. */
async function peakOf(url: string): Promise<number> {
  const idle = childMemory("workerd", "RssAnon");
  let peak = idle;
  const poll = setInterval(() => (peak = Math.max(peak, childMemory("workerd", "RssAnon"))), POLL_MS);
  const response = await fetch(url);
  let bytes = 0;
  for await (const chunk of response.body!) bytes += chunk.byteLength;
  clearInterval(poll);
  const expected = response.headers.get("content-length");
  if (!response.ok || bytes !== Number(expected))
    throw new Error(`${url}: expected ${expected} bytes, got ${bytes} and status ${response.status}`);
  return Math.max(peak, childMemory("workerd", "RssAnon")) - idle;
}

/** MB of each export, by name. Each export runs in its own process with a fresh Worker. */
export async function measureExports(): Promise<Record<string, number>> {
  const { model, vocabSize } = presetOf("base");
  const parts = partition({ ...model, vocabSize }).map((part) =>
    encodeSafetensors(part.map(([name, shape]) => ({ name, shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(0.1) }))),
  );
  const server = createServer((request, response) => {
    const part = parts[Number(/^\/parts\/(\d+)$/.exec(request.url ?? "")?.[1])];
    if (part === undefined) response.writeHead(404).end();
    else response.writeHead(200, { "content-length": part.byteLength }).end(part);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  try {
    const config = join(import.meta.dirname, "../../workers/export/wrangler.toml");
    const measured: Record<string, number> = {};
    for (const [format, type] of EXPORTS) {
      const url = await startWorkerd("export", config, `127.0.0.1:${(server.address() as AddressInfo).port}`);
      measured[`${format} ${type}`] = (await peakOf(`${url}/?format=${format}&type=${type}`)) / MIB;
      await stopProcesses();
    }
    return measured;
  } finally {
    server.close();
    await stopProcesses();
  }
}
