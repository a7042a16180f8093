/** The compiled kernels on tfjs's own memory, and the fixed address that they work at. */
import { KERNEL_KINDS, type KernelExports } from "./kernel-exports.ts";
import { allocate, type WasmRuntime } from "./wasm-runtime.ts";

/** Throws when the module is not the build of the contract: an older build would be called with the wrong arguments. */
export function instantiateKernels(memory: WebAssembly.Memory, module: WebAssembly.Module): KernelExports {
  const { exports } = new WebAssembly.Instance(module, { env: { memory, abort: () => undefined } });
  const missing = Object.keys(KERNEL_KINDS).filter((name) => typeof exports[name] !== "function");
  if (missing.length > 0) throw new Error(`kernels: expected the module to export ${missing.join(", ")}, it does not; run npm run build`);
  return exports as unknown as KernelExports;
}

/**
 * Takes the kernels' working memory, whose address is fixed (kernels/gemm/layout.ts), out of tfjs's heap. The heap must be
 * untouched: its first block then begins below that address, and a block from there reaches over the working memory.
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
      `kernels: expected the heap of tfjs to begin below ${first}, it begins at ${block}; a block of ${bytes} bytes from there does not hold the working memory up to ${end}; move A_PANEL in kernels/gemm/layout.ts`,
    );
}
