/** Describes responses in the OpenAPI document. Every door uses these functions, so equal errors have equal descriptions. */
import type { z } from "@hono/zod-openapi";
import { refusalSchema } from "../../shared/contracts/refusal.ts";

export const json = <T extends z.ZodType>(schema: T, description: string) => ({ content: { "application/json": { schema } }, description });

/** Returns a function that describes the errors of the given statuses in a protocol's error form. */
export function refusalsIn<E extends z.ZodType>(schema: E) {
  const refusal = json(schema, "What was expected, and what the request had");
  return <S extends number>(...statuses: S[]) =>
    Object.fromEntries(statuses.map((status) => [status, refusal])) as Record<S, typeof refusal>;
}

/** Errors in Tiffin's own form. */
export const refusalsOf = refusalsIn(refusalSchema);
