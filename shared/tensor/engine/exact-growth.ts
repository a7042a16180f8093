/**
 * Makes tfjs's wasm memory grow only as much as needed. Emscripten grows it by at least a fifth, to grow rarely. But wasm memory
 * never shrinks, and in an isolate of 128 MB a larger model could use that fifth.
 */

const PAGE_BYTES = 65_536;
/** Growth is a multiple of this many pages. Each growth replaces all views, so page-by-page growth would replace them too often. */
const STEP_PAGES = 16;

type Resize = (bytes: number) => number;

/** Wraps the imports so that a resize records the requested size. Call `bind` with the memory once it exists. */
export function exactGrowth(imports: WebAssembly.Imports): { imports: WebAssembly.Imports; bind(memory: WebAssembly.Memory): void } {
  const [module, fields] = Object.entries(imports).find(([, each]) => "emscripten_resize_heap" in each) ?? [];
  if (module === undefined || fields === undefined)
    throw new Error(
      `startBackend: expected tfjs's wasm module to import emscripten_resize_heap, got imports of ${Object.keys(imports).join(", ")}`,
    );
  const resize = fields["emscripten_resize_heap"] as Resize;
  let wantedBytes = 0;
  const noted: Resize = (bytes) => {
    wantedBytes = bytes >>> 0;
    return resize(bytes);
  };
  return {
    imports: { ...imports, [module]: { ...fields, emscripten_resize_heap: noted } },
    bind(memory) {
      const grow = memory.grow.bind(memory);
      // The runtime requests more pages than needed. It then reads the actual size, so a smaller growth is safe.
      memory.grow = (pages) => {
        const missing = Math.ceil((wantedBytes - memory.buffer.byteLength) / PAGE_BYTES);
        return grow(Math.min(pages, Math.ceil(missing / STEP_PAGES) * STEP_PAGES));
      };
    },
  };
}
