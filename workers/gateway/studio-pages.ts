/** The gateway's part in the Studio, whose files are served before it runs: the way there, and the page for what no file has. */
import type { Context, MiddlewareHandler } from "hono";
import type { GatewayContext } from "./door.ts";
import { pageHeaders } from "./studio/policy.ts";

const STUDIO = "/studio/";

/** Sends a browser to the Studio: it asks for HTML by name, other clients take anything. */
export const browsersToStudio: MiddlewareHandler<GatewayContext> = async (c, next) => {
  c.header("vary", "accept");
  return c.req.header("accept")?.includes("text/html") === true ? c.redirect(STUDIO, 302) : next();
};

/** The page of the model in the visitor's tab, at its short address. */
export async function localPage(c: Context<GatewayContext>) {
  const page = await c.env.STUDIO.fetch(new URL("/studio/local", c.req.url));
  return new Response(page.body, { headers: { "content-type": "text/html; charset=utf-8", ...pageHeaders({ model: true }) } });
}

export const isPageAddress = (path: string): boolean => `${path}/`.startsWith(STUDIO);

/** No file's headers reach this answer, so it has the policy of all pages added here. */
export async function missingPage(c: Context<GatewayContext>): Promise<Response> {
  const page = await c.env.STUDIO.fetch(new URL("/studio/missing", c.req.url));
  return new Response(page.body, { status: 404, headers: { "content-type": "text/html; charset=utf-8", ...pageHeaders() } });
}
