/**
 * How the coordinator divides an isolate's memory (MAX_ISOLATE_BYTES). Objects of several runs, uploads and the cache of parts
 * may share one isolate. What a share cannot give at once, it gives later, or it refuses with the figures.
 */
import { MemoryBudget } from "../../shared/bytes/memory-budget.ts";
import { MAX_ISOLATE_BYTES } from "../../shared/limits.ts";

const MIB = 1024 * 1024;

/** Code and objects with compiled kernels, as in a trainer (shared/model/footprint/memory.ts). */
const CODE_BYTES = 12 * MIB;
/** Parts of small models that stay in memory: the weights, state and one update of the largest of them. */
export const CACHE_BYTES = 18 * MIB;
/** One reduction over idle, measured with 16 shards of six million parameters (README.md): wasm, buffers, and garbage. */
const REDUCTION_BYTES = 60 * MIB;
/** All uploads that are on their way to storage. */
const UPLOAD_BYTES = MAX_ISOLATE_BYTES - CODE_BYTES - CACHE_BYTES - REDUCTION_BYTES;

const reductions = new MemoryBudget(REDUCTION_BYTES);
const uploads = new MemoryBudget(UPLOAD_BYTES);

/** Waits for the memory of a reduction, of which there is one at a time. A run's object that starts anew has lost its last one. */
export const reserveReduction = (run: string) => reductions.reserve("a reduction", REDUCTION_BYTES, run);

/** Waits for the memory of an upload of `bytes`, which is held once as it arrives and once on its way to storage. */
export const reserveUpload = (bytes: number) => uploads.reserve("an upload", 2 * bytes);
