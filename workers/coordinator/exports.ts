/**
 * Exports published models in the formats of other runtimes. This file looks up the data that the formats of
 * shared/interchange need, and returns the files as streams. Parts pass through one buffer, so an export holds one part and
 * its converted bytes.
 */
import { checkpointSchema, endTokensOf, hashSchema, type Hash } from "../../shared/artifacts.ts";
import { decoderCheckpoint } from "../../shared/decoder-checkpoint.ts";
import { fixedStream } from "../../shared/bytes/fixed-stream.ts";
import { namedError } from "../../shared/errors.ts";
import { exportFiles, repositoryFiles } from "../../shared/interchange/export-formats.ts";
import type { ExportFormat } from "../../shared/interchange/formats.ts";
import { isKnown, knownBytes, readRange, sizeOfFile, type OutputFile } from "../../shared/interchange/output-file.ts";
import { createParameterReader, type PublishedModel } from "../../shared/interchange/published-model.ts";
import { readTar, sizeOfTar } from "../../shared/interchange/tar.ts";
import { tokenizerTables } from "../../shared/interchange/tokenizer-tables.ts";
import { CHATML, templateOf } from "../../shared/tokenizer/chat-template.ts";
import { parseTokenizer } from "../../shared/tokenizer/json-reader.ts";
import { MESSAGE_END } from "../../shared/tokenizer/special-tokens.ts";
import { getJson, getObject, getObjectInto, sha256 } from "../../shared/store.ts";
import type { Model } from "../../shared/contracts/models.ts";
import { reserveModel, whileReserved } from "./isolate-memory.ts";
import { provenanceOf } from "./provenance.ts";

/** A stream with its size and the file name for browsers. */
export interface ExportStream {
  name: string;
  size: number;
  body: ReadableStream<Uint8Array>;
}

/** A model's files as a hub lists them. `oid` identifies a file's content, like the name of a git object. */
export interface Repository {
  name: string;
  commit: string;
  publishedAt: string;
  licence: string;
  files: { path: string; size: number; oid: string }[];
}

/** Hexadecimal digits in the name of a git object. Clients check this length. */
const OID_DIGITS = 40;
const NAME_PATTERN = /^tiffin-([0-9a-f]{12})$/;
const nameOf = (hash: Hash) => `tiffin-${hash.slice(0, 12)}`;

/** Finds a published model by its hash, its name or the word `active`. Throws NotFound, NoModel. */
export async function findModel(env: CoordinatorEnv, id: string): Promise<Model> {
  const models = await env.REGISTRY.getByName("registry").models();
  const prefix = NAME_PATTERN.exec(id)?.[1];
  const found = models.find(({ model, kind, active }) =>
    id === "active" ? active && kind === "language" : model === id || (prefix !== undefined && model.startsWith(prefix)),
  );
  if (found !== undefined) return found;
  if (id === "active") throw namedError("NoModel", "no model is active yet: train one, or activate a published one");
  throw namedError("NotFound", `model: expected the hash or the name of a published model, or active, got ${id}`);
}

async function openModel(env: CoordinatorEnv, id: string): Promise<PublishedModel> {
  const published = await findModel(env, id);
  const { ARTIFACTS } = env;
  const checkpoint = decoderCheckpoint(await getJson(ARTIFACTS, "checkpoint", published.model, checkpointSchema), "model");
  const json = new Uint8Array(await getObject(ARTIFACTS, "tokenizer", checkpoint.tokenizer));
  const tokenizer = parseTokenizer(json);
  const template = templateOf(checkpoint.endTokens, tokenizer.findId(MESSAGE_END));
  let buffer = new ArrayBuffer(0);
  return {
    hash: published.model,
    config: checkpoint.model,
    tokenizer: tokenizerTables(json, tokenizer, checkpoint.model.vocabSize),
    endTokens: endTokensOf(checkpoint, tokenizer),
    chatTemplate: checkpoint.chatTemplate ?? template.jinja,
    provenance: await provenanceOf(env, { name: nameOf(published.model), published, checkpoint, isTaught: template === CHATML }),
    parameters: createParameterReader(checkpoint.model, async (index) => {
      const bytes = await getObjectInto(ARTIFACTS, "part", hashSchema.parse(checkpoint.weights[index]), undefined, buffer);
      buffer = bytes.buffer;
      return bytes;
    }),
  };
}

/** Exports a model in a format: one file, or a tar of a folder. Throws InvalidInput, NotFound, NoModel, Busy. */
export async function exportModel(env: CoordinatorEnv, id: string, format: ExportFormat, type?: string): Promise<ExportStream> {
  const model = await openModel(env, id);
  const files = exportFiles(model, format, type);
  const memory = await reserveModel("an export", model.config);
  const [first] = files;
  if (files.length === 1 && first !== undefined) {
    const size = sizeOfFile(first);
    return { name: first.path, size, body: fixedStream(whileReserved(memory, readRange(first)), size) };
  }
  const { name } = model.provenance;
  const size = sizeOfTar(files);
  return { name: `${name}-${format}.tar`, size, body: fixedStream(whileReserved(memory, readTar(name, files)), size) };
}

/**
 * Names a file's content without making the file. The name is a hash of the bytes that are known in advance. If the file has
 * other bytes, the hash also includes the checkpoint, which determines them.
 */
async function oidOf(file: OutputFile, checkpoint: Hash): Promise<string> {
  const parts = isKnown(file) ? knownBytes(file) : [new TextEncoder().encode(`${checkpoint}/${file.path}`), ...knownBytes(file)];
  return (await sha256(await new Blob(parts as Uint8Array<ArrayBuffer>[]).arrayBuffer())).slice(0, OID_DIGITS);
}

/** The repository of a model. Throws NotFound, NoModel. */
export async function listRepository(env: CoordinatorEnv, id: string): Promise<Repository> {
  const model = await openModel(env, id);
  const { name, publishedAt, licence } = model.provenance;
  const files = await Promise.all(
    repositoryFiles(model).map(async (file) => ({ path: file.path, size: sizeOfFile(file), oid: await oidOf(file, model.hash) })),
  );
  return { name, commit: model.hash.slice(0, OID_DIGITS), publishedAt, licence, files };
}

/** The bytes of a repository's file from `start` up to, but not including, `end`. Throws NotFound, NoModel. */
export async function readRepository(
  env: CoordinatorEnv,
  id: string,
  path: string,
  start: number,
  end: number,
): Promise<ReadableStream<Uint8Array>> {
  const model = await openModel(env, id);
  const file = repositoryFiles(model).find((each) => each.path === path);
  if (file === undefined) throw namedError("NotFound", `file: expected a file of the model, got ${path}`);
  const chunks = readRange(file, start, end);
  // A file without parameters is in memory already.
  const body = isKnown(file) ? chunks : whileReserved(await reserveModel("an export", model.config), chunks);
  return fixedStream(body, end - start);
}
