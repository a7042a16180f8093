/** The answers of `GET /` and `GET /health`: a description of Tiffin, and the state of its Workers. */
import { z } from "zod";
import { hashSchema } from "../artifacts.ts";

export const aboutSchema = z.object({ name: z.string(), what: z.string(), documentation: z.string(), health: z.string() });

export const healthSchema = z.object({
  ok: z.boolean(),
  /** The active model; null while none is active or the coordinator is down. */
  model: hashSchema.nullable(),
  parts: z.record(z.string(), z.enum(["up", "down"])),
  /** When the Workers were asked. The answer is at most one second old, except under high load. */
  checkedAt: z.string(),
});
export type Health = z.output<typeof healthSchema>;
