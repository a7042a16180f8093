/**
 * Bounded GETs: one request with its address checked, its bytes counted after decompression and its time capped; and a
 * page, which is as many of them as there are redirects, with every hop checked before it is asked.
 */
import { readAtMost } from "../../../shared/bytes/bounded.ts";
import { AGENT } from "./robots.ts";
import { refusalOf } from "./url-guard.ts";

export const MAX_PAGE_BYTES = 5 * 1024 * 1024;
const MAX_HOPS = 5;
const TIMEOUT_MS = 20_000;

/** What a server said. Crosses RPC as it is. */
export interface Answer {
  status: number;
  headers: Headers;
  bytes: Uint8Array<ArrayBuffer>;
  /** There was more than MAX_PAGE_BYTES. */
  truncated: boolean;
}

export interface Page extends Answer {
  /** After redirects. */
  url: string;
}

/** One request, redirects not followed. Throws `refused` for an address that may not be asked. */
export async function ask(url: URL, localOrigin: string): Promise<Answer> {
  const refusal = refusalOf(url, localOrigin);
  if (refusal !== null) throw new Error(`refused: ${refusal}`);
  const response = await fetch(url, {
    redirect: "manual",
    signal: AbortSignal.timeout(TIMEOUT_MS),
    headers: { "user-agent": `${AGENT}/1.0`, accept: "text/html,text/plain,application/xml;q=0.9" },
  });
  return { status: response.status, headers: response.headers, ...(await readAtMost(response.body, MAX_PAGE_BYTES)) };
}

/** A page through `request`, hop by hop. `mayFollow` decides about each hop; a refusal throws its reason. */
export async function fetchPage(start: URL, request: (url: URL) => Promise<Answer>, mayFollow: (url: URL) => string | null): Promise<Page> {
  let url = start;
  for (let hop = 0; hop <= MAX_HOPS; hop++) {
    const refusal = mayFollow(url);
    if (refusal !== null) throw new Error(refusal);
    const answer = await request(url);
    const location = answer.headers.get("location");
    if (answer.status < 300 || answer.status >= 400 || location === null) return { ...answer, url: url.href };
    if (!URL.canParse(location, url.href)) throw new Error(`redirects: expected a web address, got ${location.slice(0, 100)}`);
    url = new URL(location, url);
  }
  throw new Error(`redirects: expected at most ${MAX_HOPS}, got more`);
}
