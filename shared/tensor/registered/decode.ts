/**
 * Gives model/decoding the kernels of kernels/decode. They are no tfjs kernels: a block changes memory that tfjs does not
 * manage.
 */
import type { KernelContext } from "../engine/kernel-context.ts";
import type { RotaryTables } from "./rotary-tables.ts";

export interface DecodeContext {
  context: KernelContext;
  tableFor: RotaryTables;
}

let registered: DecodeContext | null = null;

export function registerDecode(context: KernelContext, tableFor: RotaryTables): void {
  registered = { context, tableFor };
}

/** The kernels of the running backend. */
export function decodeContext(): DecodeContext {
  if (registered === null) throw new Error("decode: expected registered kernels, found none; start the backend first");
  return registered;
}
