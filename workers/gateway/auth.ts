/** Authorization of the operator (bearer token OPERATOR_TOKEN) and rate limits of public routes. */
import type { MiddlewareHandler } from "hono";
import { clientOf } from "./client.ts";
import { refuse, type GatewayContext } from "./door.ts";

async function digest(text: string): Promise<ArrayBuffer> {
  return crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
}

/**
 * True if the token is right. Digests of equal length are compared in constant time. Without a secret the result is always
 * false, so a forgotten secret gives nobody access.
 */
export async function isOperator(env: GatewayEnv, header: string | undefined): Promise<boolean> {
  const given = /^Bearer (\S+)$/.exec(header ?? "")?.[1] ?? "";
  const wanted = env.OPERATOR_TOKEN ?? "";
  const same = crypto.subtle.timingSafeEqual(await digest(given), await digest(wanted));
  return same && wanted !== "";
}

/** Lets only the operator pass. */
export const requireOperator: MiddlewareHandler<GatewayContext> = async (c, next) => {
  if (await isOperator(c.env, c.req.header("authorization"))) return next();
  c.header("www-authenticate", "Bearer");
  return refuse(c, 401, "expected Authorization: Bearer with the operator's token");
};

/** Limits a public route per client; the operator is not limited. */
export function limit(binding: "GENERATE_LIMIT" | "FEEDBACK_LIMIT"): MiddlewareHandler<GatewayContext> {
  return async (c, next) => {
    const key = clientOf(c);
    if ((await isOperator(c.env, c.req.header("authorization"))) || (await c.env[binding].limit({ key })).success) return next();
    c.header("retry-after", "60");
    return refuse(c, 429, "too many requests from this address: try again in a minute");
  };
}
