/** Settings of wrangler.toml that open some of the operator's reading routes to everyone. */
import type { MiddlewareHandler } from "hono";
import { limit, requireOperator } from "./auth.ts";
import type { GatewayContext } from "./door.ts";

export type PublicSetting = "PUBLIC_MODELS" | "PUBLIC_TRAINING";

/** The `security` of a route that a setting can open: the operator, or everyone. */
export const readers = [{ operator: [] }, {}];

/** True if everyone may read. */
export const isPublic = (env: GatewayEnv, setting: PublicSetting): boolean => env[setting] === "on";

/** Lets the operator read published models, and everyone else if PUBLIC_MODELS is "on". */
export const requireModelReader: MiddlewareHandler<GatewayContext> = async (c, next) =>
  isPublic(c.env, "PUBLIC_MODELS") ? next() : requireOperator(c, next);

const limited = limit("GENERATE_LIMIT");

/** Lets the operator look at runs, and everyone else, within the limit of an address, if PUBLIC_TRAINING is "on". */
export const requireTrainingReader: MiddlewareHandler<GatewayContext> = async (c, next) =>
  isPublic(c.env, "PUBLIC_TRAINING") ? limited(c, next) : requireOperator(c, next);

/** A stream of a crawl shows addresses of pages, so it stays the operator's. A stream of a run is as public as the run. */
export const requireEventReader: MiddlewareHandler<GatewayContext> = async (c, next) =>
  c.req.query("crawl") === undefined ? requireTrainingReader(c, next) : requireOperator(c, next);

/**
 * For files that the Studio's public pages need. Everyone may read them for the active model, even if PUBLIC_MODELS is "off". For
 * any other model, requireModelReader decides.
 */
export const requireActiveOrReader: MiddlewareHandler<GatewayContext> = async (c, next) => {
  const active = await c.env.COORDINATOR.activeModel();
  return active !== null && active.model === c.req.param("id") ? next() : requireModelReader(c, next);
};
