/** Starts the bare backend: creates its memory, instantiates the kernels and registers those of decoding. */
import * as tf from "@tensorflow/tfjs-core";
import { createContext } from "../engine/create-context.ts";
import type { Kernel } from "../engine/kernel-context.ts";
import { instantiateKernels } from "../engine/kernel-instance.ts";
import { ALL } from "../engine/optimisations.ts";
import { registerDecode } from "../registered/decode.ts";
import { rotaryTables } from "../registered/rotary-tables.ts";
import { BareBackend } from "./backend.ts";
import { Heap } from "./heap.ts";

/** The minimum that the kernels declare. */
const INITIAL_PAGES = 4;

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
  // The kernels register themselves under this name.
  if (!tf.registerBackend("wasm", () => backend) || !(await tf.setBackend("wasm")))
    throw new Error(
      "startBare: expected to be the only user of tfjs here, another one has a backend called wasm: load the model in a worker",
    );
  const runtime = { _malloc: (bytes: number) => heap.allocate(bytes), _free: (offset: number) => heap.free(offset) };
  const context = createContext({ backend, runtime, memory }, module, new Map<string, Kernel>(), ALL);
  registerDecode(context, rotaryTables(context));
}
