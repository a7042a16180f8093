/** Watches the allocator of tfjs's wasm memory, which serves tensors, buffers and scratch. */
import * as tf from "@tensorflow/tfjs-core";

interface Allocator {
  _malloc(bytes: number): number;
  _free(offset: number): void;
}

/** Runs `work` on the wasm backend and reports each block that it allocates and frees. */
export function watchAllocator(
  work: () => void,
  allocated: (offset: number, bytes: number) => void,
  freed: (offset: number) => void,
): void {
  const runtime = (tf.backend() as unknown as { wasm: Allocator }).wasm;
  const { _malloc: malloc, _free: free } = runtime;
  runtime._malloc = (bytes) => {
    const offset = malloc(bytes);
    allocated(offset, bytes);
    return offset;
  };
  runtime._free = (offset) => {
    freed(offset);
    free(offset);
  };
  try {
    work();
  } finally {
    Object.assign(runtime, { _malloc: malloc, _free: free });
  }
}
