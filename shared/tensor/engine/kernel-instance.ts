/** Instantiates the compiled kernels on tfjs's memory and reserves their working memory at a fixed address. */
import { KERNEL_KINDS, type KernelExports } from "./kernel-exports.ts";
import { allocate, type WasmRuntime } from "./wasm-runtime.ts";

/** Instantiates a build. Throws if exports are missing: an outdated build would misread its arguments. */
export function instantiateKernels(memory: WebAssembly.Memory, module: WebAssembly.Module): KernelExports {
  const { exports } = new WebAssembly.Instance(module, { env: { memory, abort: () => undefined } });
  const missing = Object.keys(KERNEL_KINDS).filter((name) => typeof exports[name] !== "function");
  if (missing.length > 0)
    throw new Error(`kernels: expected the module to export ${missing.join(", ")}, found no such exports; run npm run build`);
  return exports as unknown as KernelExports;
}

/**
 * Reserves the kernels' working memory, whose address is fixed (kernels/gemm/layout.ts), in tfjs's heap. Call this before any
 * other allocation. The heap's first block then begins below that address, so one block of enough bytes covers the working
 * memory.
 */
export function reserveWorkspace(
  runtime: Pick<WasmRuntime, "_malloc" | "_free">,
  { workspaceBytes, workspaceStart }: Pick<KernelExports, "workspaceBytes" | "workspaceStart">,
): void {
  const heap = allocate(runtime, 1);
  runtime._free(heap);
  const [first, end] = [workspaceStart(), workspaceStart() + workspaceBytes()];
  const bytes = Math.max(1, end - heap);
  const block = heap < first ? allocate(runtime, bytes) : heap;
  if (block > first || block + bytes < end)
    throw new Error(
      `kernels: expected tfjs's heap to begin below ${first}, got a heap that begins at ${block}. A block of ${bytes} bytes there does not contain the working memory up to ${end}. Move A_PANEL in kernels/gemm/layout.ts`,
    );
}
