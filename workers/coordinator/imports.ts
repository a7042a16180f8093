/**
 * Imports models that were trained elsewhere. Their parts and tokenizer arrive as objects under their hashes, then a manifest
 * publishes the model. The importing script has checked the file (shared/interchange/model-import.ts); the coordinator checks
 * everything again.
 */
import { objectKey, type Hash, type ObjectKind } from "../../shared/artifacts.ts";
import { IMPORTED_RUN, type ImportedModel, type ImportRequest } from "../../shared/contracts/imports.ts";
import { namedError } from "../../shared/errors.ts";
import { checkServingMemory } from "../../shared/interchange/serving-memory.ts";
import { partition } from "../../shared/model/formats/partition.ts";
import { decodeSafetensors } from "../../shared/model/formats/safetensors.ts";
import { checkPart } from "../../shared/model/formats/weights-file.ts";
import { getObject, getObjectInto, isDamage, putJson } from "../../shared/store.ts";
import { reserveModel } from "./isolate-memory.ts";
import { parseTokenizer } from "../../shared/tokenizer/json-reader.ts";

/** Stores an object of a model under its hash, as a stream. Throws InvalidInput if the bytes have another hash. */
export async function putImported(
  env: CoordinatorEnv,
  kind: Extract<ObjectKind, "part" | "tokenizer">,
  hash: Hash,
  size: number,
  bytes: ReadableStream<Uint8Array>,
): Promise<void> {
  try {
    // R2 checks the hash while it stores, so no buffer has to hold the object.
    await env.ARTIFACTS.put(objectKey(kind, hash), bytes.pipeThrough(new FixedLengthStream(size)), { sha256: hash });
  } catch (error) {
    throw namedError("InvalidInput", `${kind}: expected ${size} bytes with hash ${hash}, got other bytes: ${(error as Error).message}`);
  }
}

/** Turns an error in an imported model into InvalidInput: the caller sent it. */
async function orInvalid<T>(field: string, work: () => Promise<T> | T): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isDamage(error) || (error as Error).name === "Error") throw namedError("InvalidInput", `${field}: ${(error as Error).message}`);
    throw error;
  }
}

/** Publishes a model whose objects are stored. Throws InvalidInput, Busy. */
export async function importModel(env: CoordinatorEnv, request: ImportRequest): Promise<ImportedModel> {
  const { ARTIFACTS } = env;
  const { model, weights } = request;
  await orInvalid("config", () => checkServingMemory("model", model));
  const tokenizer = await orInvalid("tokenizer", async () =>
    parseTokenizer(new Uint8Array(await getObject(ARTIFACTS, "tokenizer", request.tokenizer))),
  );
  if (tokenizer.vocabSize > model.vocabSize)
    throw namedError(
      "InvalidInput",
      `tokenizer: expected ids below ${model.vocabSize}, the rows of the embeddings, got ${tokenizer.vocabSize - 1}`,
    );
  const endTokens = request.endTokens ?? [tokenizer.endOfText];
  if (endTokens.some((id) => id >= model.vocabSize))
    throw namedError("InvalidInput", `endTokens: expected ids below ${model.vocabSize}, got ${endTokens.join(", ")}`);
  const parts = partition(model);
  if (weights.length !== parts.length) throw namedError("InvalidInput", `weights: expected ${parts.length} parts, got ${weights.length}`);
  using memory = await reserveModel("an import", model);
  let buffer = new ArrayBuffer(0);
  for (const [index, part] of parts.entries()) {
    memory.renew();
    await orInvalid(`weights.${index}`, async () => {
      const bytes = await getObjectInto(ARTIFACTS, "part", weights[index]!, undefined, buffer);
      buffer = bytes.buffer;
      checkPart(decodeSafetensors(bytes), part);
    });
  }
  const start = { dataset: null, round: 0, tokens: 0, lrScale: 1, outer: null, inner: [] };
  const { chatTemplate } = request;
  const kept = { endTokens, ...(chatTemplate === undefined ? {} : { chatTemplate }) };
  const hash = await putJson(ARTIFACTS, "checkpoint", { format: 2, model, tokenizer: request.tokenizer, ...kept, weights, ...start });
  await env.REGISTRY.getByName("registry").publish(
    { model: hash, tokenizer: request.tokenizer, run: IMPORTED_RUN, valLoss: null, kind: "language" },
    request.activate,
  );
  return { model: hash };
}
