/** Models whose parts stay in a coordinator's memory between a round's uploads, reduction and downloads. */
import type { NetworkConfig } from "../../network-config.ts";
import { parameterCount } from "../weights.ts";

/** Three times as much has room beside a reduction: the weights, the state and one update (workers/coordinator/isolate-memory.ts). */
export const MAX_KEPT_MODEL_BYTES = 6 * 1024 * 1024;

/** True if a model's parts stay in memory. The parts of a larger model would evict each other from memory. */
export const isKept = (model: NetworkConfig): boolean => 4 * parameterCount(model) <= MAX_KEPT_MODEL_BYTES;
