/** Registers all kernels on tfjs's wasm backend. Some replace tfjs's own kernels, some are new. */
import { useHeap } from "../engine/buffer.ts";
import { createContext, type Engine } from "../engine/create-context.ts";
import type { Kernel } from "../engine/kernel-context.ts";
import { ALL, type Optimisations } from "../engine/optimisations.ts";
import { registerAccumulate } from "./accumulate.ts";
import { registerCrossEntropy } from "./cross-entropy.ts";
import { registerUnsortedSegmentSum } from "./embedding.ts";
import { registerForward } from "./forward.ts";
import { registerFusedProjection } from "./fused-projection.ts";
import { registerNormedAttention } from "./normed-attention.ts";
import { registerOptimizers } from "./optimizers.ts";
import { rotaryTables } from "./rotary-tables.ts";

export type Registration = (engine: Engine, module: WebAssembly.Module, optimisations?: Optimisations) => void;

/** Registers all kernels for the wasm backend. A second call replaces the registrations of the first. */
export const registerKernels: Registration = (engine, module, optimisations = ALL) => {
  const registered = new Map<string, Kernel>();
  const context = createContext(engine, module, registered, optimisations);
  const tableFor = rotaryTables(context);
  registerForward(context, tableFor);
  registerAccumulate(context);
  registerFusedProjection(context);
  registerUnsortedSegmentSum(context);
  registerNormedAttention(context, tableFor);
  registerCrossEntropy(context);
  registerOptimizers(context);
  useHeap(context, registered, optimisations.arena);
};

/** Registers only the kernel that tfjs's wasm backend lacks. */
export const registerSegmentSum: Registration = (engine, module, optimisations = ALL) =>
  registerUnsortedSegmentSum(createContext(engine, module, new Map(), optimisations));
