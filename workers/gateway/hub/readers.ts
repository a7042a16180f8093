/** Lets everyone read published models if PUBLIC_MODELS is "on", otherwise only the operator. */
import type { MiddlewareHandler } from "hono";
import { requireOperator } from "../auth.ts";
import type { GatewayContext } from "../door.ts";

export const arePublic = (env: GatewayEnv): boolean => env.PUBLIC_MODELS === "on";

export const requireReader: MiddlewareHandler<GatewayContext> = async (c, next) => (arePublic(c.env) ? next() : requireOperator(c, next));
