/**
 * Checks a shard's optimizer state when it is submitted. The mean does not use the state, but the trainer of the shard's next
 * task starts from it. That trainer would be blamed for a bad state. Reading whole states would take most of a round's transfers,
 * so only names, shapes and sizes are checked.
 *
 * The check is part of the submission, because each submission is an invocation with its own limit of requests. In the reduction,
 * the states of all shards would take half of one invocation's requests.
 */
import type { Hash } from "../../shared/artifacts.ts";
import { log } from "../../shared/log.ts";
import { MAX_OPEN_CONNECTIONS } from "../../shared/limits.ts";
import { isKept } from "../../shared/model/footprint/kept-model.ts";
import { partition } from "../../shared/model/formats/partition.ts";
import { encodeHeader } from "../../shared/model/formats/safetensors.ts";
import { getObjectStart, isDamage } from "../../shared/store.ts";
import { submit } from "../../shared/training/protocol/run.ts";
import type { RunSpec, RunState } from "../../shared/training/protocol/run-state.ts";
import { shardState } from "../../shared/training/protocol/shard-state.ts";
import type { Submission, TaskResult } from "../../shared/training/protocol/task.ts";

/**
 * The reason why a result's state is unusable. Null if the state is usable, or if there is none. Also null if the model's parts
 * stay in memory, because then the reduction checks the whole state. Throws if storage fails.
 */
export async function faultOfState(bucket: R2Bucket, { run, model, training }: RunSpec, result: TaskResult): Promise<string | null> {
  if (result.kind !== "train" || result.inner === null || isKept(model)) return null;
  const headers = partition(model).map((part) =>
    encodeHeader(shardState(part, training).map(([name, shape]) => ({ name, shape, dtype: "F32" }))),
  );
  const check = async (name: Hash, index: number): Promise<string | null> => {
    const { header, size } = headers[index]!;
    const found = await getObjectStart(bucket, "part", name, run, header.length);
    if (found.size !== size) return `part ${index}: expected ${size} bytes, got ${found.size}`;
    const isEqual = found.start.every((byte, place) => byte === header[place]);
    return isEqual ? null : `part ${index}: expected the header of its tensors, got other bytes`;
  };
  for (let first = 0; first < result.inner.length; first += MAX_OPEN_CONNECTIONS) {
    const group = result.inner.slice(first, first + MAX_OPEN_CONNECTIONS).map((name, at) =>
      check(name, first + at).catch((error: Error) => {
        if (isDamage(error)) return `part ${first + at}: ${error.message}`;
        throw error;
      }),
    );
    const fault = (await Promise.all(group)).find((each) => each !== null);
    if (fault !== undefined) return fault;
  }
  return null;
}

/** The fault of a submission's objects; null if they are usable, or if they are not read because the run refuses the submission. */
export async function faultOfObjects(bucket: R2Bucket, state: RunState | null, submission: Submission): Promise<string | null> {
  if (state === null) return null;
  const { reply } = submit(state, submission, Date.now());
  if (!reply.accepted || reply.duplicate) return null;
  const { run, round, shard, trainer, result } = submission;
  const fault = await faultOfState(bucket, state.spec, result);
  if (fault === null) return null;
  log("warn", `state of shard ${shard}, ${fault}`, { run, round, shard, trainer });
  return "bad-state";
}
