/**
 * Decides which addresses may be fetched. The URL parser has already turned every spelling of an IPv4 address (decimal, hex,
 * octal, short) into dotted form, so the guard checks the range of the address. One local origin may be allowed by name.
 *
 * The guard cannot see that a public name resolves to a private address, because Workers resolve names outside the isolate.
 * Cloudflare's network does not route to private ranges.
 */
import ipaddr from "ipaddr.js";

const LOCAL_NAMES = /(^|\.)(localhost|local|internal|home\.arpa|test|invalid|onion)$/;

/** Why a URL must not be fetched; null if it may be fetched. */
export function refusalOf(url: URL, localOrigin: string): string | null {
  if (url.protocol !== "http:" && url.protocol !== "https:") return `scheme: expected http or https, got ${url.protocol}`;
  if (url.username !== "" || url.password !== "") return "expected no user name or password in the URL";
  if (localOrigin !== "" && url.origin === new URL(localOrigin).origin) return null;
  if (url.port !== "" && url.port !== "80" && url.port !== "443") return `port: expected the scheme's own, got ${url.port}`;
  const host = url.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
  if (ipaddr.isValid(host)) {
    const range = ipaddr.process(host).range();
    return range === "unicast" ? null : `expected a public address, got ${host} (${range})`;
  }
  if (!host.includes(".") || LOCAL_NAMES.test(host)) return `expected a public host name, got ${host}`;
  return null;
}
