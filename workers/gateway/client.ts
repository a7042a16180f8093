/** The client of a request, as far as limits and votes are concerned. */
import ipaddr from "ipaddr.js";
import type { Context } from "hono";
import type { GatewayContext } from "./door.ts";

/** All of an IPv4 address, or the half of an IPv6 address that names a network: the holder chooses the other half. RFC 4291, 2.5.1 */
const CLIENT_BYTES = 8;
const VOTER_BYTES = 16;
const HMAC = { name: "HMAC", hash: "SHA-256" };
const bytesOf = (text: string) => new TextEncoder().encode(text);

/** The client's address or network. Cloudflare sets cf-connecting-ip on every request; without it the client is local. */
export function clientOf(c: Context): string {
  const address = c.req.header("cf-connecting-ip") ?? "";
  // `process` reads an IPv4 address that is written as IPv6 (::ffff:203.0.113.1) as the IPv4 address.
  return ipaddr.isValid(address) ? ipaddr.process(address).toByteArray().slice(0, CLIENT_BYTES).join(".") : "local";
}

/**
 * A client's name among the votes, 32 hexadecimal digits: equal for two votes from the same client, and not the address. The
 * hash is keyed by the operator's secret, because a plain hash is found by trying all 2^32 IPv4 addresses; only the holder of
 * the secret can try them. A new secret gives every client a new name.
 */
export async function voterOf(c: Context<GatewayContext>): Promise<string> {
  // The prefix keeps this use of the secret apart from others, and the key from being empty, which is refused.
  const key = await crypto.subtle.importKey("raw", bytesOf(`voter:${c.env.OPERATOR_TOKEN ?? ""}`), HMAC, false, ["sign"]);
  const code = await crypto.subtle.sign(HMAC, key, bytesOf(clientOf(c)));
  return [...new Uint8Array(code, 0, VOTER_BYTES)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
