/** Starts the bare backend: creates its memory, instantiates the kernels and registers them. */
import * as tf from "@tensorflow/tfjs-core";
import { createContext } from "../engine/create-context.ts";
import type { Kernel } from "../engine/kernel-context.ts";
import { instantiateKernels } from "../engine/kernel-instance.ts";
import { ALL } from "../engine/optimisations.ts";
import { registerForward } from "../registered/forward.ts";
import { rotaryTables } from "../registered/rotary-tables.ts";
import { BareBackend } from "./backend.ts";
import { Heap } from "./heap.ts";
import { registerPlain } from "./kernels.ts";

/** The minimum that the kernels declare. */
const INITIAL_PAGES = 4;

/** The functions that tfjs expects from its platform. A decoder uses only `isTypedArray`. */
const PLATFORM = {
  fetch,
  now: () => performance.now(),
  encode: (text: string) => new TextEncoder().encode(text),
  decode: (bytes: Uint8Array) => new TextDecoder().decode(bytes),
  isTypedArray: (value: unknown): value is Float32Array | Int32Array | Uint8Array | Uint8ClampedArray =>
    value instanceof Float32Array || value instanceof Int32Array || value instanceof Uint8Array || value instanceof Uint8ClampedArray,
};

let starting: Promise<void> | null = null;

/** Starts the backend once. Later calls return the same promise. */
export function startBare(module: WebAssembly.Module): Promise<void> {
  starting ??= start(module);
  return starting;
}

async function start(module: WebAssembly.Module): Promise<void> {
  const memory = new WebAssembly.Memory({ initial: INITIAL_PAGES });
  const { workspaceStart, workspaceBytes } = instantiateKernels(memory, module);
  const heap = new Heap(memory, workspaceStart() + workspaceBytes());
  const backend = new BareBackend(memory, heap);
  tf.env().setPlatform("bare", PLATFORM);
  // The kernels register themselves under this name.
  if (!tf.registerBackend("wasm", () => backend) || !(await tf.setBackend("wasm")))
    throw new Error(
      "startBare: expected to be the only user of tfjs here, another one has a backend called wasm: load the model in a worker",
    );
  const runtime = { _malloc: (bytes: number) => heap.allocate(bytes), _free: (offset: number) => heap.free(offset) };
  const context = createContext({ backend, runtime, memory }, module, new Map<string, Kernel>(), ALL);
  registerForward(context, rotaryTables(context));
  registerPlain(context);
}
