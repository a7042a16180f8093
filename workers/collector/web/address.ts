/** Pure rules on page addresses: the canonical form, traps (addresses that repeat themselves), and the scope of a crawl. */

import type { Rest } from "../sources/source.ts";

export const MAX_URL_LENGTH = 1000;
const MAX_PATH_DEPTH = 20;
const MAX_SEGMENT_REPEATS = 2;
const TRACKING = /^(utm_\w+|fbclid|gclid|phpsessid|jsessionid|sid|session_?id)$/i;

/**
 * The canonical address of a page: no fragment, no tracking or session parameters. Null if the address is not a page, or is a
 * trap.
 */
export function normalizeUrl(href: string): string | null {
  if (href.length > MAX_URL_LENGTH || !URL.canParse(href)) return null;
  const url = new URL(href);
  if (url.protocol !== "http:" && url.protocol !== "https:") return null;
  url.hash = "";
  for (const name of Array.from(url.searchParams.keys())) if (TRACKING.test(name)) url.searchParams.delete(name);
  const segments = url.pathname.split("/").filter((segment) => segment !== "");
  if (segments.length > MAX_PATH_DEPTH) return null;
  const repeats = new Map<string, number>();
  for (const segment of segments) repeats.set(segment, (repeats.get(segment) ?? 0) + 1);
  return [...repeats.values()].some((count) => count > MAX_SEGMENT_REPEATS) ? null : url.href;
}

/** The canonical address of a page or of a part of a file: the fragment, which names the part, stays. */
export function normalizePartUrl(href: string): string | null {
  const url = normalizeUrl(href);
  return url === null ? null : `${url}${new URL(href).hash}`;
}

/** The frontier's name for the part of a resource from `rest` on. */
export const entryUrl = (url: string, { byte, state }: Rest) => `${url}#from=${byte}&state=${encodeURIComponent(state)}`;

/** The resource that an entry of the frontier names, and the place in it. */
export function placeOf(entry: string): { url: string; rest: Rest | null } {
  const [, url, byte, state] = /^([^#]*)#from=(\d+)&state=(.*)$/.exec(entry) ?? [];
  return url === undefined || byte === undefined || state === undefined
    ? { url: entry, rest: null }
    : { url, rest: { byte: Number(byte), state: decodeURIComponent(state) } };
}

/** `host`: the same origin. `path`: also below the folder of the start URL. */
export function isInScope(href: string, start: string, scope: "host" | "path"): boolean {
  const [url, root] = [new URL(href), new URL(start)];
  return url.origin === root.origin && (scope === "host" || url.pathname.startsWith(root.pathname.replace(/[^/]*$/, "")));
}
