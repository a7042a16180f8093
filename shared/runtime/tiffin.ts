/**
 * The runtime: runs an exported model in a browser or in Node, without a server. `npm run build -- runtime` bundles this file
 * into one ES module without training code and without dependencies.
 *
 *   const model = await load("https://HOST/hub/tiffin/active/resolve/main");
 *   for await (const text of model.stream("What is a Worker?")) write(text);
 *
 * In a worker with the name `tiffin` the module serves its page by itself:
 *
 *   const worker = new Worker(url, { type: "module", name: "tiffin" });
 *   const model = await loadInWorker(worker, source);
 */
import { connect } from "./connect.ts";
import { startKernels } from "./kernels.ts";
import { loadModel } from "./load-model.ts";
import type { LoadOptions, LocalModel } from "./local-model.ts";
import type { Port } from "./messages.ts";
import { serve } from "./serve.ts";

export type { GenerateOptions, LoadOptions, LocalModel, Prompt } from "./local-model.ts";

const WORKER_NAME = "tiffin";

/** Loads the model at an address or, in Node, in a folder into this thread. */
export async function load(source: string, options: LoadOptions = {}): Promise<LocalModel> {
  await startKernels();
  return loadModel(source, options);
}

/** Like `load`, in a worker that runs this module. */
export function loadInWorker(worker: Port, source: string, options: LoadOptions = {}): Promise<LocalModel> {
  return connect(worker, source, options);
}

/** Serves a model of this thread to the page behind a port. */
export function serveOn(port: Port): void {
  serve(port, load);
}

const scope = globalThis as { name?: unknown; document?: unknown; postMessage?: unknown };
if (scope.name === WORKER_NAME && scope.document === undefined && typeof scope.postMessage === "function")
  serveOn(globalThis as unknown as Port);
