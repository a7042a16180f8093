/** Authorization of the operator (bearer token OPERATOR_TOKEN, or the cookie of a signed-in browser) and rate limits of public routes. */
import type { Context, MiddlewareHandler } from "hono";
import { useKey } from "./client-key.ts";
import { bearerOf, clientOf } from "./client.ts";
import { refuse, type GatewayContext } from "./door.ts";
import { sessionEnd } from "./session/cookie.ts";

async function digest(text: string): Promise<ArrayBuffer> {
  return crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
}

/**
 * True if the token is right. Digests of equal length are compared in constant time. Without a secret the result is always
 * false, so a forgotten secret gives nobody access.
 */
export async function isToken(env: GatewayEnv, given: string): Promise<boolean> {
  const wanted = env.OPERATOR_TOKEN ?? "";
  const same = crypto.subtle.timingSafeEqual(await digest(given), await digest(wanted));
  return same && wanted !== "";
}

/** True if the request carries the operator's token or cookie. */
export async function isOperator(c: Context<GatewayContext>): Promise<boolean> {
  return (await isToken(c.env, bearerOf(c))) || (await sessionEnd(c)) !== null;
}

/** Lets only the operator pass. Answers to the operator are not cached. */
export const requireOperator: MiddlewareHandler<GatewayContext> = async (c, next) => {
  if (!(await isOperator(c))) {
    c.header("www-authenticate", "Bearer");
    return refuse(c, 401, "expected Authorization: Bearer with the operator's token");
  }
  await next();
  if (!c.res.headers.has("cache-control")) c.res.headers.set("cache-control", "no-store");
  return undefined;
};

/** Limits a public route per client; the operator is not limited. On answering routes, clients with keys have quotas instead. */
export function limit(binding: "GENERATE_LIMIT" | "FEEDBACK_LIMIT" | "SESSION_LIMIT"): MiddlewareHandler<GatewayContext> {
  return async (c, next) => {
    const key = clientOf(c);
    if (await isOperator(c)) return next();
    if (binding === "GENERATE_LIMIT" && (await useKey(c))) return next();
    if ((await c.env[binding].limit({ key })).success) return next();
    c.header("retry-after", "60");
    return refuse(c, 429, "too many requests from this address: try again in a minute");
  };
}
