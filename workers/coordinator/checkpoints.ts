/** Reads, copies and deletes a run's objects in R2. */
import { checkpointSchema, objectKey, runPrefix, type Checkpoint, type Hash, type ObjectKind } from "../../shared/artifacts.ts";
import { namedError } from "../../shared/errors.ts";
import { getJson, getObject, isDamage } from "../../shared/store.ts";
import { forgetParts } from "./parts.ts";
import { namesIn, partsOf, retained, retainedHashes, type Base, type RunState } from "../../shared/training/protocol/run-state.ts";

/** The most keys in one delete call. developers.cloudflare.com/r2/api/workers/workers-api-reference/#bucket-method-definitions */
const MAX_DELETED = 1000;

async function readBase(bucket: R2Bucket, run: string, checkpoint: Hash): Promise<Base> {
  const { round, tokens, lrScale, weights, outer, inner } = await getJson(bucket, "checkpoint", checkpoint, checkpointSchema, run);
  return { checkpoint, round, tokens, lrScale, weights, outer, inner };
}

/** Why a part of a run cannot be read; null if it can be read. Throws if storage fails. */
export async function damageOf(bucket: R2Bucket, hash: Hash, run: string): Promise<string | null> {
  try {
    await getObject(bucket, "part", hash, run);
    return null;
  } catch (error) {
    if (isDamage(error)) return (error as Error).message;
    throw error;
  }
}

/**
 * Copies one object from run `from` to run `to`. Undefined stands for the common keys. An existing common object is not
 * written again: its name is the hash of its bytes. An object of a run is always written again, so garbage collection sees it
 * as young.
 */
async function copy(bucket: R2Bucket, kind: ObjectKind, hash: Hash, from?: string, to?: string): Promise<void> {
  const object = await bucket.get(objectKey(kind, hash, from));
  if (object === null)
    throw namedError(
      "MissingObject",
      `${kind} ${hash}: expected an object of ${from === undefined ? "a model" : `run ${from}`}, found none`,
    );
  const condition = to === undefined ? { onlyIf: { etagDoesNotMatch: "*" } } : {};
  await bucket.put(objectKey(kind, hash, to), object.body, { ...condition, sha256: hash });
}

/** A kept checkpoint of a run: `checkpoint`, by default the newest. Throws NotFound. */
export function keptCheckpoint(state: RunState, checkpoint = state.base.checkpoint): Base {
  const kept = retained(state);
  const base = kept.find((each) => each.checkpoint === checkpoint);
  if (base !== undefined) return base;
  const hashes = new Set(kept.map((each) => each.checkpoint));
  throw namedError("NotFound", `checkpoint: expected one of ${[...hashes].join(", ")}, got ${checkpoint}`);
}

/** Copies everything that a checkpoint names to another run. */
export async function copyBase(bucket: R2Bucket, base: Base, from: string, to: string): Promise<void> {
  // Each hash once: equal parts are one object, and R2 takes one write per second and key.
  for (const hash of new Set(partsOf(base))) await copy(bucket, "part", hash, from, to);
}

/** Copies a checkpoint and its weights to the common keys, where they outlive the run. */
export async function publishBase(bucket: R2Bucket, run: string, checkpoint: Hash): Promise<void> {
  const { weights } = await readBase(bucket, run, checkpoint);
  for (const hash of weights) await copy(bucket, "part", hash, run);
  await copy(bucket, "checkpoint", checkpoint, run);
}

/**
 * Checks that a model can be served: its checkpoint, weights and tokenizer, if it has one, are under the common keys. Returns the
 * checkpoint. Throws NotFound.
 */
export async function requireStored(bucket: R2Bucket, model: Hash, tokenizer: Hash | null): Promise<Checkpoint> {
  const require = async (kind: ObjectKind, hash: Hash): Promise<void> => {
    if ((await bucket.head(objectKey(kind, hash))) === null)
      throw namedError("NotFound", `${kind} ${hash}: expected an object, found none`);
  };
  if (tokenizer !== null) await require("tokenizer", tokenizer);
  await require("checkpoint", model);
  const checkpoint = await getJson(bucket, "checkpoint", model, checkpointSchema);
  for (const hash of new Set(checkpoint.weights)) await require("part", hash);
  return checkpoint;
}

/** Copies the weights of a published model to a run and returns their names. */
export async function copyPublished(bucket: R2Bucket, model: Hash, to: string): Promise<Hash[]> {
  const { weights } = await getJson(bucket, "checkpoint", model, checkpointSchema);
  for (const hash of new Set(weights)) await copy(bucket, "part", hash, undefined, to);
  return weights;
}

/** Keys of the objects that a change of state makes useless: the results of an ended round, and dropped checkpoints. */
export function uselessKeys(before: RunState, after: RunState): string[] {
  const keep = retainedHashes(after);
  const old = retained(before);
  const results = before.slots.flatMap(({ votes, result }) => [...votes.map((vote) => vote.result), result].flatMap(namesIn));
  const useless = (hashes: Hash[]) => [...new Set(hashes)].filter((hash) => !keep.has(hash));
  const { run } = before.spec;
  return [
    ...useless(old.map(({ checkpoint }) => checkpoint)).map((hash) => objectKey("checkpoint", hash, run)),
    ...useless([...results, ...old.flatMap(partsOf)]).map((hash) => objectKey("part", hash, run)),
  ];
}

export async function deleteObjects(bucket: R2Bucket, keys: readonly string[]): Promise<void> {
  forgetParts(keys);
  for (let first = 0; first < keys.length; first += MAX_DELETED) await bucket.delete(keys.slice(first, first + MAX_DELETED));
}

async function* list(bucket: R2Bucket, options: R2ListOptions): AsyncGenerator<R2Objects> {
  let cursor: string | undefined;
  do {
    const page = await bucket.list({ ...options, ...(cursor === undefined ? {} : { cursor }) });
    yield page;
    cursor = page.truncated ? page.cursor : undefined;
  } while (cursor !== undefined);
}

/** Keys of a run's objects that were uploaded before the time `before` (milliseconds since 1970). */
export async function oldKeys(bucket: R2Bucket, run: string, before: number): Promise<string[]> {
  const keys: string[] = [];
  for await (const { objects } of list(bucket, { prefix: runPrefix(run) }))
    for (const { key, uploaded } of objects) if (uploaded.getTime() < before) keys.push(key);
  return keys;
}

/** True if the key's object is named by one of the hashes. */
export function isNamed(key: string, hashes: ReadonlySet<Hash>): boolean {
  const hash = /([0-9a-f]{64})\.[a-z]+$/.exec(key)?.[1];
  return hash !== undefined && hashes.has(hash);
}

export async function deleteAll(bucket: R2Bucket, run: string): Promise<void> {
  await deleteObjects(bucket, await oldKeys(bucket, run, Infinity));
}

/** Ids of all runs with stored objects, including deleted runs. */
export async function runsWithObjects(bucket: R2Bucket): Promise<string[]> {
  const ids: string[] = [];
  for await (const { delimitedPrefixes } of list(bucket, { prefix: "runs/", delimiter: "/" }))
    ids.push(...delimitedPrefixes.map((prefix) => prefix.split("/")[1]!));
  return ids;
}
