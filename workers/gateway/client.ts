/** Identifies the client of a request, for access, rate limits and votes. */
import ipaddr from "ipaddr.js";
import type { Context } from "hono";
import { sign } from "../../shared/bytes/signature.ts";
import type { GatewayContext } from "./door.ts";

/**
 * The bytes of an address that identify a client: all four of an IPv4 address, the first eight of an IPv6 address. The first
 * eight name a network; the network's owner chooses the other eight (RFC 4291, 2.5.1).
 */
const CLIENT_BYTES = 8;
const RATER_DIGITS = 32;

/** The token in the header Authorization; empty without one. */
export const bearerOf = (c: Context): string => /^Bearer (\S+)$/.exec(c.req.header("authorization") ?? "")?.[1] ?? "";

/** The client's address or network. Cloudflare sets cf-connecting-ip on every request. A request without it is local. */
export function clientOf(c: Context): string {
  const address = c.req.header("cf-connecting-ip") ?? "";
  // `ipaddr.process` reads an IPv4 address that is written as IPv6 (::ffff:203.0.113.1) as the IPv4 address.
  return ipaddr.isValid(address) ? ipaddr.process(address).toByteArray().slice(0, CLIENT_BYTES).join(".") : "local";
}

/**
 * The name under which a person votes: 32 hexadecimal digits, equal for all votes of the person. The person is the client, or one of the
 * client's users. The name does not reveal the client's address, because the hash is keyed with the operator's secret. A hash without a
 * key could be reversed by trying all 2^32 IPv4 addresses. A new secret gives everybody a new name.
 */
export async function raterOf(c: Context<GatewayContext>, user?: string): Promise<string> {
  const person = user === undefined ? clientOf(c) : `${clientOf(c)} ${user}`;
  return (await sign(c.env.OPERATOR_TOKEN ?? "", "voter", person)).slice(0, RATER_DIGITS);
}
