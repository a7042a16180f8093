/**
 * How the coordinator divides an isolate's memory (MAX_ISOLATE_BYTES). Several runs' objects, the uploads and the cache of parts
 * may share one isolate. Work that finds no free memory in its share waits. If the wait is too long, the work is refused with an
 * error that names the sizes.
 */
import { MemoryBudget } from "../../shared/bytes/memory-budget.ts";
import { MAX_ISOLATE_BYTES } from "../../shared/limits.ts";
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
/** Memory for all uploads that are being stored. */
const UPLOAD_BYTES = MAX_ISOLATE_BYTES - CODE_BYTES - CACHE_BYTES - REDUCTION_BYTES;

const reductions = new MemoryBudget(REDUCTION_BYTES);
const uploads = new MemoryBudget(UPLOAD_BYTES);

/**
 * Waits for the memory of a reduction. An isolate makes one reduction at a time. If the same run asks again, its earlier
 * reduction is dead, and its memory is free at once.
 */
export const reserveReduction = (run: string) => reductions.reserve("a reduction", REDUCTION_BYTES, run);

/**
 * Waits for the memory of an upload of `bytes`. An upload is held twice: once as it arrives and once as it is written to storage.
 */
export const reserveUpload = (bytes: number) => uploads.reserve("an upload", 2 * bytes);
