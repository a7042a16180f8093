/** The parts that the routes of Tiffin's own protocol share. */
import { z } from "@hono/zod-openapi";
import { json, refusalsOf } from "../responses.ts";

export const body = <T extends z.ZodType>(schema: T) => ({ content: { "application/json": { schema } }, required: true });
/** A body that may be omitted, because all of its fields are optional. */
export const optionalBody = <T extends z.ZodType>(schema: T) => ({ ...body(schema), required: false });
export const operator = [{ operator: [] }];
export const idParams = z.object({ id: z.string().min(1).max(128) });

/** The errors of every operator route: from the checks before the route, or from a named error of a Worker. */
export const refusals = refusalsOf(400, 401, 404, 409, 413, 415, 422, 500);
export const ok = <T extends z.ZodType>(schema: T, description: string) => ({ 200: json(schema, description), ...refusals });
