/** Lets everyone read published models if PUBLIC_MODELS is "on", otherwise only the operator. */
import type { MiddlewareHandler } from "hono";
import { requireOperator } from "../auth.ts";
import type { GatewayContext } from "../door.ts";

export const arePublic = (env: GatewayEnv): boolean => env.PUBLIC_MODELS === "on";

export const requireReader: MiddlewareHandler<GatewayContext> = async (c, next) => (arePublic(c.env) ? next() : requireOperator(c, next));

/**
 * For files that the Studio's public pages need. Everyone may read them for the active model, even if PUBLIC_MODELS is "off". For
 * any other model, requireReader decides.
 */
export const requireActiveOrReader: MiddlewareHandler<GatewayContext> = async (c, next) => {
  const active = await c.env.COORDINATOR.activeModel();
  return active !== null && active.model === c.req.param("id") ? next() : requireReader(c, next);
};
