/**
 * How the coordinator divides an isolate's memory (MAX_ISOLATE_BYTES). Several runs' objects, the uploads and the cache of parts
 * may share one isolate. Work that finds no free memory in its share waits. If the wait is too long, the work is refused with an
 * error that names the sizes.
 */
import { MemoryBudget, type Reservation } from "../../shared/bytes/memory-budget.ts";
import type { ModelConfig } from "../../shared/config.ts";
import { MAX_ISOLATE_BYTES } from "../../shared/limits.ts";
import { largestPartBytes } from "../../shared/model/formats/partition.ts";
import { MAX_KEPT_MODEL_BYTES } from "../../shared/model/footprint/kept-model.ts";

const MIB = 1024 * 1024;

/** The size of the code and of objects with compiled kernels, as in a trainer (shared/model/footprint/memory.ts). */
const CODE_BYTES = 12 * MIB;
/** Memory for the parts of small models: weights, optimizer state and one update of the largest model that is kept in memory. */
export const CACHE_BYTES = 3 * MAX_KEPT_MODEL_BYTES;
/**
 * The memory that one reduction adds to an idle isolate: wasm, buffers and garbage. Measured with 16 shards of six million
 * parameters (README.md).
 */
const REDUCTION_BYTES = 60 * MIB;
/** Memory for all transfers at once: uploads that are being stored, exports and imports. */
const TRANSFER_BYTES = MAX_ISOLATE_BYTES - CODE_BYTES - CACHE_BYTES - REDUCTION_BYTES;

const reductions = new MemoryBudget(REDUCTION_BYTES);
const transfers = new MemoryBudget(TRANSFER_BYTES);

/**
 * Waits for the memory of a reduction. An isolate makes one reduction at a time. If the same run asks again, its earlier
 * reduction is dead, and its memory is free at once.
 */
export const reserveReduction = (run: string) => reductions.reserve("a reduction", REDUCTION_BYTES, run);

/**
 * Waits for the memory of an upload of `bytes`. An upload is held twice: once as it arrives and once as it is written to storage.
 */
export const reserveUpload = (bytes: number) => transfers.reserve("an upload", 2 * bytes);

/**
 * An export or an import holds one part three times: as read, converted, and as it is copied to the reader or checked. For the
 * preset `base` this is 12 MiB; 9.5 to 12.7 MB were measured (shared/interchange/README.md).
 */
export const reserveModel = (what: "an export" | "an import", model: ModelConfig): Promise<Reservation> =>
  transfers.reserve(what, 3 * largestPartBytes(model));

/** The same chunks. The memory is held until the last one is read, and is free again if the reader leaves or stalls. */
export async function* whileReserved<T>(memory: Reservation, chunks: AsyncIterable<T>): AsyncGenerator<T> {
  using held = memory;
  for await (const chunk of chunks) {
    held.renew();
    yield chunk;
  }
}
