/** How routes describe their answers in the OpenAPI document. Every door uses these, so a refusal reads alike everywhere. */
import type { z } from "@hono/zod-openapi";
import { refusalSchema } from "../../shared/contracts/refusal.ts";

export const json = <T extends z.ZodType>(schema: T, description: string) => ({ content: { "application/json": { schema } }, description });

/** Makes a function that describes refusals of the given statuses in a protocol's own form of an error. */
export function refusalsIn<E extends z.ZodType>(schema: E) {
  const refusal = json(schema, "What was expected, what came");
  return <S extends number>(...statuses: S[]) =>
    Object.fromEntries(statuses.map((status) => [status, refusal])) as Record<S, typeof refusal>;
}

/** Refusals in Tiffin's own form. */
export const refusalsOf = refusalsIn(refusalSchema);
