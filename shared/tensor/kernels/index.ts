/**
 * AssemblyScript kernels on tfjs's own memory: the list of what the wasm module exports. Offsets are bytes, sizes are
 * elements. No runtime, no heap, no data segments (they would overwrite tfjs's memory), so no Mathf and no classes.
 */
export { matMul, packBytes } from "./matmul";
export { scatterAddRows } from "./embedding";
export { attention, attentionBackward } from "./attention";
