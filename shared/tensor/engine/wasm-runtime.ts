/** The part of tfjs's Emscripten module that the engine uses. Starts nothing: backend.ts makes the runtime. */

/** An address in wasm memory, in bytes. A type of its own, so that tsc refuses a size where a kernel wants an address. */
export type Pointer = number & { readonly unit: "byte of wasm memory" };

export interface WasmRuntime {
  HEAPU8: Uint8Array;
  HEAPF32: Float32Array;
  _malloc(bytes: number): number;
  _free(offset: number): void;
  cwrap(name: string, result: "number" | null, parameters: "number"[]): (...values: number[]) => number;
  tfjs?: unknown;
}

/** `offset` bytes into wasm memory. */
export const pointer = (offset: number): Pointer => offset as Pointer;

/** What kernels take for an operand that is not there. */
export const NONE = pointer(0);

/** The runtime's malloc; throws where that returns 0. */
export function allocate(runtime: Pick<WasmRuntime, "_malloc">, bytes: number): Pointer {
  const start = pointer(runtime._malloc(bytes) >>> 0);
  if (start === 0) throw new Error(`allocate: expected ${bytes} bytes of wasm memory, the allocator refused`);
  return start;
}
