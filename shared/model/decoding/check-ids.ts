/** The check of ids that both decoders read. Its own file, because the bundle of shared/runtime leaves the plain decoder out. */
import type { ModelConfig } from "../../config.ts";

/** Throws unless the ids exist and have room after `length` positions. Without the check a kernel would read beyond its table. */
export function checkIds(config: ModelConfig, length: number, ids: ArrayLike<number>): void {
  if (ids.length < 1) throw new Error("decoder: expected at least one id, got none");
  if (length + ids.length > config.context)
    throw new Error(`decoder: expected at most ${config.context} positions, got ${length + ids.length}; shorten the prompt`);
  for (let index = 0; index < ids.length; index++) {
    const id = ids[index]!;
    if (!Number.isInteger(id) || id < 0 || id >= config.vocabSize)
      throw new Error(`decoder: expected ids below ${config.vocabSize}, got ${id}`);
  }
}
