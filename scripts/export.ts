/**
 * `npm run export -- [MODEL] [--format hf,gguf,onnx] [--type F16] [--out FOLDER] [--url URL]`: writes a published model, by
 * default the active model, in a format of another runtime. It asks a running Tiffin. If none runs, it starts one on this
 * folder's state and stops it at the end.
 */
import { createWriteStream, mkdirSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { EXPORT_FORMATS, EXPORT_TYPES, type ExportFormat } from "../shared/interchange/formats.ts";
import { readArguments } from "./cli/options.ts";
import { reachTiffin, type Reached } from "./local/reach.ts";
import { untar } from "./local/untar.ts";

const USAGE = "npm run export -- [MODEL] [--format hf,gguf,onnx] [--type TYPE] [--out FOLDER] [--url URL]";

const OPTIONS = {
  format: { type: "string", default: "hf" },
  type: { type: "string" },
  out: { type: "string", default: "exported" },
  url: { type: "string" },
} as const;

function formatsOf(text: string, type: string | undefined): ExportFormat[] {
  const formats = text.split(",").map((format) => {
    const known = EXPORT_FORMATS.find((each) => each === format.trim());
    if (known === undefined) throw new Error(`--format: expected one or more of ${EXPORT_FORMATS.join(",")}, got ${format}`);
    return known;
  });
  for (const format of formats) {
    const types: readonly string[] = EXPORT_TYPES[format];
    if (type !== undefined && !types.some((each) => each.toLowerCase() === type.toLowerCase()))
      throw new Error(`--type: expected one of ${types.join(", ")} for ${format}, got ${type}`);
  }
  return formats;
}

/** Writes one format and returns the paths of its files. */
async function write(
  { url, token }: Reached,
  model: string,
  format: ExportFormat,
  type: string | undefined,
  out: string,
): Promise<string[]> {
  const query = new URLSearchParams({ format, ...(type === undefined ? {} : { type }) });
  const address = `${url}/models/${encodeURIComponent(model)}/export?${query}`;
  const response = await fetch(address, { headers: { authorization: `Bearer ${token}` } });
  if (!response.ok || response.body === null)
    throw new Error(`GET ${address}: expected 200, got ${response.status}: ${(await response.text()).slice(0, 500)}`);
  const name = /filename="([\w.-]+)"/.exec(response.headers.get("content-disposition") ?? "")?.[1];
  if (name === undefined) throw new Error(`GET ${address}: expected the file's name in content-disposition, found none`);
  mkdirSync(out, { recursive: true });
  if (name.endsWith(".tar")) return untar(response.body, out);
  const path = join(out, name);
  await pipeline(Readable.fromWeb(response.body as never), createWriteStream(path));
  return [path];
}

const { model, formats, type, out, url } = readArguments(USAGE, OPTIONS, (values, [asked = "active", ...more]) => {
  if (more.length > 0) throw new Error(`expected one model, got ${[asked, ...more].join(" ")}`);
  return { model: asked, formats: formatsOf(values.format, values.type), type: values.type, out: resolve(values.out), url: values.url };
});
let reached: Reached | null = null;
try {
  reached = await reachTiffin(url);
  for (const format of formats) for (const path of await write(reached, model, format, type, out)) console.log(relative(".", path));
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
} finally {
  await reached?.close();
}
process.exit();
