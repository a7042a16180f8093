/**
 * The operator's session in a browser: a signed cookie that scripts cannot read. No session is stored here, so a new
 * OPERATOR_TOKEN ends all sessions.
 *
 * A browser also sends cookies with requests that other pages make. SameSite=Strict stops other sites, but a page of another port
 * on this host is the same site. So the cookie counts only if the browser says that the request comes from this origin.
 */
import type { Context } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { CODE_MS, createCode, expiryOf, nameOfSecret } from "../../../shared/session-codes.ts";
import type { GatewayContext } from "../door.ts";

/** Methods that change nothing. Another page that sends the browser here with such a method does no harm. */
const READING: ReadonlySet<string> = new Set(["GET", "HEAD"]);

const secretOf = (c: Context<GatewayContext>) => c.env.OPERATOR_TOKEN ?? "";
const isSecure = (c: Context<GatewayContext>) => new URL(c.req.url).protocol === "https:";
// Browsers accept a cookie with the prefix `__Host-` only over https, for one host and all its paths.
const nameOf = async (c: Context<GatewayContext>) => `${isSecure(c) ? "__Host-" : ""}tiffin-${await nameOfSecret(secretOf(c))}`;
const attributesOf = (c: Context<GatewayContext>) => ({ path: "/", httpOnly: true, sameSite: "Strict", secure: isSecure(c) }) as const;

/** True if a page of this origin made the request, or if a person opened the address directly and the method changes nothing. */
export function isOwnRequest(c: Context<GatewayContext>): boolean {
  const isReading = READING.has(c.req.method);
  const site = c.req.header("sec-fetch-site");
  if (site !== undefined) return site === "same-origin" || (isReading && site === "none");
  const origin = c.req.header("origin");
  return origin === undefined ? isReading : origin === new URL(c.req.url).origin;
}

/**
 * The time when the session of the request's cookie ends. Null without a valid cookie, and for requests that other pages make.
 */
export async function sessionEnd(c: Context<GatewayContext>): Promise<number | null> {
  const secret = secretOf(c);
  if (secret === "" || c.req.header("cookie") === undefined || !isOwnRequest(c)) return null;
  const code = getCookie(c, await nameOf(c));
  return code === undefined ? null : expiryOf(secret, "session", code, Date.now());
}

/** Begins a session and returns the time of its end. */
export async function beginSession(c: Context<GatewayContext>): Promise<number> {
  const { code, expiresAt } = await createCode(secretOf(c), "session", Date.now());
  setCookie(c, await nameOf(c), code, { ...attributesOf(c), maxAge: CODE_MS.session / 1000 });
  return expiresAt;
}

export async function endSession(c: Context<GatewayContext>): Promise<void> {
  if (secretOf(c) !== "") deleteCookie(c, await nameOf(c), attributesOf(c));
}
