/**
 * Feeds mutated model files to the readers. A reader must return a right result or throw a clear error, and must not read
 * bytes outside the file.
 */
import { type ByteSource } from "../../../../shared/interchange/byte-source.ts";
import { ggufFile } from "../../../../shared/interchange/gguf-writer.ts";
import { huggingFaceFiles } from "../../../../shared/interchange/hugging-face.ts";
import { importFolder, importGguf, partsOfImport, type ImportedModel } from "../../../../shared/interchange/model-import.ts";
import { bytesOfFile } from "../../../../shared/interchange/output-file.ts";
import { createRandom } from "../../../../shared/model/random.ts";
import { weightShapes } from "../../../../shared/model/weights.ts";
import { loadTokenizer } from "../../../../shared/tokenizer/json-reader.ts";
import { randomModel } from "./random-model.ts";

export const KINDS = ["safetensors", "gguf", "tokenizer"] as const;
export type HostileKind = (typeof KINDS)[number];

const TINY = { width: 8, mlpWidth: 8, layers: 1, heads: 1, kvHeads: 1, headWidth: 8, context: 16 };
/** Even a machine ten times slower reads an honest file of 100 KB in less time. */
const MAX_MS = 10_000;
/** The most bytes that one import may read, as a multiple of the file's size: header and data once, and a few windows. */
const MAX_READ_FACTOR = 4;

type Random = () => number;
const below = (random: Random, limit: number) => Math.floor(random() * limit);

/** A random position. The header is chosen in 90 % of cases, because most checks are there. */
function placeOf(random: Random, size: number, headerBytes: number): number {
  return random() < 0.9 ? below(random, Math.min(headerBytes, size)) : below(random, size);
}

/** Applies one to four changes: a byte, a bit, a run of one value, a number, a cut, a repeat, or two exchanged spans. */
export function mutate(original: Uint8Array, headerBytes: number, random: Random): Uint8Array {
  let bytes = original.slice();
  for (let change = below(random, 4); change >= 0; change--) {
    const at = placeOf(random, bytes.byteLength, headerBytes);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    switch (below(random, 8)) {
      case 0:
        bytes[at] = below(random, 256);
        break;
      case 1:
        bytes[at] = bytes[at]! ^ (1 << below(random, 8));
        break;
      case 2:
        bytes.fill([0, 255, 0x22, 0x7b][below(random, 4)]!, at, at + 1 + below(random, 12));
        break;
      case 3:
        if (at + 8 <= bytes.byteLength) view.setBigUint64(at, [0n, 1n, 2n ** 31n, 2n ** 53n, 2n ** 64n - 1n][below(random, 5)]!, true);
        break;
      case 4:
        bytes = bytes.slice(0, random() < 0.5 ? at : bytes.byteLength - 1 - below(random, 64));
        break;
      case 5:
        bytes = Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(Math.max(0, at - below(random, 64)))]);
        break;
      case 6:
        bytes = Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(at + 1 + below(random, 16))]);
        break;
      default: {
        const digit = String(below(random, 10)).charCodeAt(0);
        // Digits are changed because a JSON header states sizes and offsets as numbers.
        const found = bytes.findIndex((byte, index) => index >= at && byte >= 48 && byte <= 57);
        if (found >= 0) bytes[found] = digit;
      }
    }
    if (bytes.byteLength === 0) break;
  }
  return bytes;
}

/** A source that counts the bytes read and throws for reads outside the file. */
function countedSource(name: string, bytes: Uint8Array): ByteSource & { bytesRead: number } {
  return {
    name,
    size: bytes.byteLength,
    bytesRead: 0,
    async read(start, end) {
      if (!(start >= 0 && start <= end && end <= bytes.byteLength))
        throw new RangeError(`read outside of the file: ${start} to ${end} of ${bytes.byteLength}`);
      this.bytesRead += end - start;
      return bytes.subarray(start, end);
    },
  };
}

async function finish(model: ImportedModel): Promise<void> {
  loadTokenizer(model.tokenizer);
  let values = 0;
  for await (const part of partsOfImport(model)) values += part.byteLength;
  const wanted = weightShapes(model.config).reduce((sum, [, shape]) => sum + shape.reduce((product, axis) => product * axis, 4), 0);
  if (values < wanted) throw new RangeError(`expected at least ${wanted} bytes of parts, got ${values}`);
}

export interface HostileResult {
  accepted: number;
  refused: number;
  /** Violations: a crash, a read outside the file, too many bytes read, or too much time. */
  wrong: string[];
}

/** Errors of the language itself. If the reader throws such an error, it has missed a check. */
const CRASHES = new Set(["TypeError", "RangeError", "ReferenceError", "InternalError"]);

/** Reads `count` mutations of a file. */
export async function readMutations(kind: HostileKind, count: number, seed: number): Promise<HostileResult> {
  const model = randomModel({ ...TINY, vocabSize: 276 });
  const files = new Map<string, Uint8Array>();
  for (const file of huggingFaceFiles(model, "F32")) files.set(file.path, await bytesOfFile(file));
  const paths = { safetensors: "model.safetensors", gguf: "model.gguf", tokenizer: "tokenizer.json" };
  files.set(paths.gguf, await bytesOfFile(ggufFile(model, "F16", paths.gguf)));
  const original = files.get(paths[kind])!;
  const headerBytes =
    kind === "safetensors"
      ? 8 + Number(new DataView(original.buffer).getBigUint64(0, true))
      : kind === "gguf"
        ? 12_000
        : original.byteLength;
  const random = createRandom(seed);
  const result: HostileResult = { accepted: 0, refused: 0, wrong: [] };
  for (let index = 0; index < count; index++) {
    const source = countedSource(paths[kind], mutate(original, headerBytes, random));
    const startedAt = performance.now();
    try {
      if (kind === "gguf") await finish(await importGguf(source));
      else
        await finish(
          await importFolder(async (path) => {
            const bytes = files.get(path);
            if (path === source.name) return source;
            return bytes === undefined ? null : countedSource(path, bytes);
          }),
        );
      result.accepted++;
    } catch (error) {
      const { name, message } = error as Error;
      if (CRASHES.has(name) || message.length > 2000) result.wrong.push(`${kind} ${index}: ${name}: ${message.slice(0, 300)}`);
      else result.refused++;
    }
    if (performance.now() - startedAt > MAX_MS) result.wrong.push(`${kind} ${index}: took more than ${MAX_MS} ms`);
    if (source.bytesRead > MAX_READ_FACTOR * source.size + 1024 * 1024)
      result.wrong.push(`${kind} ${index}: read ${source.bytesRead} bytes of ${source.size}`);
  }
  return result;
}
