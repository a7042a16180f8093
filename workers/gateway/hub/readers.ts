/** Who may read published models: everybody where the setting PUBLIC_MODELS is "on", else the operator. */
import type { MiddlewareHandler } from "hono";
import { requireOperator } from "../auth.ts";
import type { GatewayContext } from "../door.ts";

export const arePublic = (env: GatewayEnv): boolean => env.PUBLIC_MODELS === "on";

export const requireReader: MiddlewareHandler<GatewayContext> = async (c, next) => (arePublic(c.env) ? next() : requireOperator(c, next));
