/**
 * `npm run import -- FOLDER|FILE [--activate] [--url URL]`: imports a Qwen3 decoder from a Hugging Face folder or a GGUF file.
 * This script reads and checks the file part by part, and the coordinator checks the uploads again. The result is a published
 * model like any other.
 */
import { createHash } from "node:crypto";
import { open, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { importedModelSchema, storedObjectSchema } from "../shared/contracts/imports.ts";
import type { ByteSource } from "../shared/interchange/byte-source.ts";
import { importFolder, importGguf, partsOfImport, type ImportedModel } from "../shared/interchange/model-import.ts";
import { parameterCount } from "../shared/model/weights.ts";
import { loadTokenizer } from "../shared/tokenizer/json-reader.ts";
import { readArguments } from "./cli/options.ts";
import { Client } from "./local/client.ts";
import { reachTiffin, type Reached } from "./local/reach.ts";

const USAGE = "npm run import -- FOLDER|FILE [--activate] [--url URL]";
const OPTIONS = { activate: { type: "boolean", default: false }, url: { type: "string" } } as const;

/** A file on disk; null if it does not exist. */
async function fileSource(path: string): Promise<ByteSource | null> {
  const info = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  if (info === null) return null;
  const { size } = info;
  return {
    name: basename(path),
    size,
    async read(start, end) {
      const file = await open(path);
      try {
        const bytes = new Uint8Array(end - start);
        const { bytesRead } = await file.read(bytes, 0, bytes.byteLength, start);
        if (bytesRead !== bytes.byteLength) throw new Error(`${path}: expected ${bytes.byteLength} bytes at ${start}, got ${bytesRead}`);
        return bytes;
      } finally {
        await file.close();
      }
    },
  };
}

async function readModel(path: string): Promise<ImportedModel> {
  const source = await fileSource(path);
  if (source === null) throw new Error(`expected a folder or a GGUF file, found nothing at ${path}`);
  if ((await stat(path)).isDirectory()) return importFolder((name) => fileSource(join(path, name)));
  if (path.endsWith(".safetensors"))
    throw new Error(`expected a folder or a GGUF file, got ${path}: import its folder, which also has config.json and tokenizer.json`);
  return importGguf(source);
}

/** Uploads a model's objects and publishes it. */
async function upload(client: Client, model: ImportedModel, activate: boolean): Promise<string> {
  const put = async (kind: "parts" | "tokenizers", bytes: Uint8Array) => {
    const hash = createHash("sha256").update(bytes).digest("hex");
    return (await client.call("PUT", `/imports/${kind}/${hash}`, storedObjectSchema, bytes)).stored;
  };
  const tokenizer = await put("tokenizers", new TextEncoder().encode(JSON.stringify(model.tokenizer)));
  const weights: string[] = [];
  for await (const part of partsOfImport(model)) {
    weights.push(await put("parts", part));
    process.stderr.write(`part ${weights.length} stored\n`);
  }
  const { endTokens, chatTemplate } = model;
  const kept = { ...(endTokens === null ? {} : { endTokens }), ...(chatTemplate === null ? {} : { chatTemplate }) };
  const request = { model: model.config, tokenizer, weights, activate, ...kept };
  return (await client.call("POST", "/imports", importedModelSchema, request)).model;
}

const { path, activate, url } = readArguments(USAGE, OPTIONS, (values, [given, ...more]) => {
  if (given === undefined || more.length > 0)
    throw new Error(`expected one folder or file, got ${more.length + (given === undefined ? 0 : 1)}`);
  return { path: given, activate: values.activate, url: values.url };
});
let reached: Reached | null = null;
try {
  const model = await readModel(path);
  // An unusable tokenizer is refused here, before anything is uploaded.
  loadTokenizer(model.tokenizer);
  for (const note of model.notes) console.error(note);
  process.stderr.write(`${parameterCount(model.config)} parameters\n`);
  reached = await reachTiffin(url);
  const hash = await upload(new Client(reached.url, reached.token), model, activate);
  console.log(hash);
  if (!activate) console.error(`It answers after POST /models/${hash}/activate, or when imported with --activate.`);
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
} finally {
  await reached?.close();
}
process.exit();
