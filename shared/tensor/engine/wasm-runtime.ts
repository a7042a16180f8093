/** The part of tfjs's Emscripten module that the engine uses. backend.ts creates the runtime. */

/** An address in wasm memory, in bytes. The separate type lets tsc refuse a size where a kernel expects an address. */
export type Pointer = number & { readonly unit: "byte of wasm memory" };

export interface WasmRuntime {
  HEAPU8: Uint8Array;
  HEAPF32: Float32Array;
  _malloc(bytes: number): number;
  _free(offset: number): void;
  cwrap(name: string, result: "number" | null, parameters: "number"[]): (...values: number[]) => number;
  tfjs?: unknown;
}

/** The address `offset` bytes from the start of wasm memory. */
export const pointer = (offset: number): Pointer => offset as Pointer;

/** The null address: an operand that is absent. */
export const NONE = pointer(0);

/** Calls malloc. Throws if malloc fails. */
export function allocate(runtime: Pick<WasmRuntime, "_malloc">, bytes: number): Pointer {
  const start = pointer(runtime._malloc(bytes) >>> 0);
  if (start === 0) throw new Error(`allocate: expected ${bytes} bytes of wasm memory, got an allocation failure`);
  return start;
}
