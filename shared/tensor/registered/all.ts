/** Registers all kernels on tfjs's wasm backend. Some replace tfjs's own kernels, some are new. */
import { useHeap } from "../engine/buffer.ts";
import { createContext, type Engine } from "../engine/create-context.ts";
import type { Kernel } from "../engine/kernel-context.ts";
import { ALL, type Optimisations } from "../engine/optimisations.ts";
import { registerAccumulate } from "./accumulate.ts";
import { registerAttention } from "./attention.ts";
import { registerCrossEntropy } from "./cross-entropy.ts";
import { registerDecode } from "./decode.ts";
import { registerEmbedding, registerUnsortedSegmentSum } from "./embedding.ts";
import { registerFusedProjection } from "./fused-projection.ts";
import { registerIdentity } from "./identity.ts";
import { registerMatMul } from "./matmul.ts";
import { registerNormedAttention } from "./normed-attention.ts";
import { registerOptimizers } from "./optimizers.ts";
import { registerRmsNorm } from "./rms-norm.ts";
import { rotaryTables } from "./rotary-tables.ts";
import { registerRotary } from "./rotary.ts";
import { registerSwiglu } from "./swiglu.ts";

export type Registration = (engine: Engine, module: WebAssembly.Module, optimisations?: Optimisations) => void;

/** Registers all kernels for the wasm backend. A second call replaces the registrations of the first. */
export const registerKernels: Registration = (engine, module, optimisations = ALL) => {
  const registered = new Map<string, Kernel>();
  const context = createContext(engine, module, registered, optimisations);
  const tableFor = rotaryTables(context);
  registerIdentity(context);
  registerMatMul(context);
  registerEmbedding(context);
  registerAttention(context);
  registerRmsNorm(context);
  registerRotary(context, tableFor);
  registerSwiglu(context);
  registerDecode(context, tableFor);
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
