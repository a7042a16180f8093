/** Registers the kernels of a decoder, without those of training. */
import type { KernelContext } from "../engine/kernel-context.ts";
import { registerAttention } from "./attention.ts";
import { registerDecode } from "./decode.ts";
import { registerEmbedding } from "./embedding.ts";
import { registerIdentity } from "./identity.ts";
import { registerMatMul } from "./matmul.ts";
import { registerRmsNorm } from "./rms-norm.ts";
import type { RotaryTables } from "./rotary-tables.ts";
import { registerRotary } from "./rotary.ts";
import { registerSwiglu } from "./swiglu.ts";

export function registerForward(context: KernelContext, tableFor: RotaryTables): void {
  registerIdentity(context);
  registerMatMul(context);
  registerEmbedding(context);
  registerAttention(context);
  registerRmsNorm(context);
  registerRotary(context, tableFor);
  registerSwiglu(context);
  registerDecode(context, tableFor);
}
