/** Unpacks one of the two builds of the kernels in the bundle. The relaxed build is faster, but some engines lack relaxed SIMD. */
import { relaxed, simd } from "tiffin:kernels";
import { startBare } from "../tensor/bare/start.ts";

async function unpacked(base64: string): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function chosen(): Promise<Uint8Array<ArrayBuffer>> {
  for (const build of [relaxed, simd]) {
    const bytes = await unpacked(build);
    if (WebAssembly.validate(bytes)) return bytes;
  }
  throw new Error("kernels: expected an engine with WebAssembly and SIMD, this one has neither");
}

/** The types of Workers lack this function, because Workers cannot compile bytes. */
const { compile } = WebAssembly as unknown as { compile(bytes: Uint8Array<ArrayBuffer>): Promise<WebAssembly.Module> };

let starting: Promise<void> | null = null;

/** Starts the backend with the faster build that this engine supports. Later calls return the same promise. */
export function startKernels(): Promise<void> {
  starting ??= chosen().then(compile).then(startBare);
  return starting;
}
