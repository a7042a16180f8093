/** Who may operate: the bearer of OPERATOR_TOKEN, compared in constant time over digests of equal length. */
import type { MiddlewareHandler } from "hono";
import { clientOf } from "./client.ts";

async function digest(text: string): Promise<ArrayBuffer> {
  return crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
}

/** True for the right token. False whenever no secret is set, so that a forgotten secret opens nothing. */
export async function isOperator(env: GatewayEnv, header: string | undefined): Promise<boolean> {
  const given = /^Bearer (\S+)$/.exec(header ?? "")?.[1] ?? "";
  const wanted = env.OPERATOR_TOKEN ?? "";
  const same = crypto.subtle.timingSafeEqual(await digest(given), await digest(wanted));
  return same && wanted !== "";
}

/** Lets only the operator through. */
export const requireOperator: MiddlewareHandler<{ Bindings: GatewayEnv }> = async (c, next) => {
  if (await isOperator(c.env, c.req.header("authorization"))) return next();
  c.header("www-authenticate", "Bearer");
  return c.json({ error: "expected Authorization: Bearer with the operator's token" }, 401);
};

/** Limits a public route per client; the operator is not limited. */
export function limit(binding: "GENERATE_LIMIT" | "FEEDBACK_LIMIT"): MiddlewareHandler<{ Bindings: GatewayEnv }> {
  return async (c, next) => {
    const key = clientOf(c);
    if ((await isOperator(c.env, c.req.header("authorization"))) || (await c.env[binding].limit({ key })).success) return next();
    c.header("retry-after", "60");
    return c.json({ error: "too many requests from this address: try again in a minute" }, 429);
  };
}
