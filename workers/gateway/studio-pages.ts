/**
 * The gateway's routes around the Studio: the redirect to the Studio, the local model's short address, and the page for missing
 * files. The platform serves the Studio's files before the gateway runs.
 */
import type { Context, MiddlewareHandler } from "hono";
import type { GatewayContext } from "./door.ts";
import { pageHeaders } from "./studio/policy.ts";

const STUDIO = "/studio/";

/** Redirects browsers to the Studio. Browsers name text/html in their Accept header, and other clients do not. */
export const browsersToStudio: MiddlewareHandler<GatewayContext> = async (c, next) => {
  c.header("vary", "accept");
  return c.req.header("accept")?.includes("text/html") === true ? c.redirect(STUDIO, 302) : next();
};

/** Serves the Studio's local page, which runs the model in the visitor's tab, at its short address. */
export async function localPage(c: Context<GatewayContext>) {
  const page = await c.env.STUDIO.fetch(new URL("/studio/local", c.req.url));
  return new Response(page.body, { headers: { "content-type": "text/html; charset=utf-8", ...pageHeaders({ model: true }) } });
}

export const isPageAddress = (path: string): boolean => `${path}/`.startsWith(STUDIO);

/**
 * The page for an address under /studio/ without a file. The headers of `_headers` do not apply to this answer, so they are added
 * here.
 */
export async function missingPage(c: Context<GatewayContext>): Promise<Response> {
  const page = await c.env.STUDIO.fetch(new URL("/studio/missing", c.req.url));
  return new Response(page.body, { status: 404, headers: { "content-type": "text/html; charset=utf-8", ...pageHeaders() } });
}
