/**
 * Makes tfjs's wasm memory grow by what is needed. Emscripten's runtime grows it by at least a fifth, so that growing is rare.
 * But wasm memory never shrinks, and in an isolate of 128 MB a larger model could use that fifth.
 */

const PAGE_BYTES = 65_536;
/** The step of growth. Each step makes new views, so a page at a time would make them for every small tensor. */
const STEP_PAGES = 16;

type Resize = (bytes: number) => number;

/** The same imports with a resize that notes the wanted size; `bind` takes the memory once it exists. */
export function exactGrowth(imports: WebAssembly.Imports): { imports: WebAssembly.Imports; bind(memory: WebAssembly.Memory): void } {
  const [module, fields] = Object.entries(imports).find(([, each]) => "emscripten_resize_heap" in each) ?? [];
  if (module === undefined || fields === undefined)
    throw new Error(
      `startBackend: expected tfjs's wasm module to import emscripten_resize_heap, it imports ${Object.keys(imports).join(", ")}`,
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
      // The runtime asks for its own, larger number of pages and then makes views of the size that it finds.
      memory.grow = (pages) => {
        const missing = Math.ceil((wantedBytes - memory.buffer.byteLength) / PAGE_BYTES);
        return grow(Math.min(pages, Math.ceil(missing / STEP_PAGES) * STEP_PAGES));
      };
    },
  };
}
