/**
 * GET requests with limits. `ask` makes one request: it checks the address, limits the time, and limits the bytes after
 * decompression. `fetchPage` follows redirects and checks every hop before it requests the hop. A failure is a returned value
 * with a cause, because it crosses RPC and a crawl counts it.
 */
import { readAtMost } from "../../../shared/bytes/bounded.ts";
import type { FetchFailure } from "../refusal.ts";
import { SYSTEM_CLOCK, type Clock } from "./clock.ts";
import { AGENT } from "./robots.ts";
import { refusalOf } from "../../../shared/url-guard.ts";

export const MAX_PAGE_BYTES = 5 * 1024 * 1024;
const MAX_HOPS = 5;
const TIMEOUT_MS = 20_000;

/** What a server sent. */
export interface Answer {
  kind: "answer";
  status: number;
  headers: Headers;
  bytes: Uint8Array<ArrayBuffer>;
  /** True if the server sent more than MAX_PAGE_BYTES. */
  truncated: boolean;
}

export interface Failure {
  kind: "failure";
  cause: FetchFailure;
  /** Text for the log. */
  detail: string;
}

export interface Page extends Answer {
  /** The URL after redirects. */
  url: string;
}

export const failure = (cause: FetchFailure, detail: string): Failure => ({ kind: "failure", cause, detail });

/** Makes one request and does not follow redirects. `conditions` are headers that ask for the page only if it has changed. */
export async function ask(
  url: URL,
  localOrigin: string,
  conditions: Readonly<Record<string, string>> = {},
  clock: Clock = SYSTEM_CLOCK,
): Promise<Answer | Failure> {
  const refusal = refusalOf(url, localOrigin);
  if (refusal !== null) return failure("refused", refusal);
  try {
    const response = await fetch(url, {
      redirect: "manual",
      signal: clock.timeout(TIMEOUT_MS),
      headers: { "user-agent": `${AGENT}/1.0`, accept: "text/html,text/plain,application/xml;q=0.9,*/*;q=0.1", ...conditions },
    });
    const { bytes, truncated } = await readAtMost(response.body, MAX_PAGE_BYTES);
    return { kind: "answer", status: response.status, headers: response.headers, bytes, truncated };
  } catch (error) {
    const { name, message } = error as Error;
    return failure(name === "TimeoutError" ? "timeout" : "network", message);
  }
}

/** Fetches a page through `request`, hop by hop. `refuse` returns the reason to refuse a hop, or null. */
export async function fetchPage(
  start: URL,
  request: (url: URL) => Promise<Answer | Failure>,
  refuse: (url: URL) => FetchFailure | null,
): Promise<Page | Failure> {
  let url = start;
  for (let hop = 0; hop <= MAX_HOPS; hop++) {
    const cause = refuse(url);
    if (cause !== null) return failure(cause, url.href);
    const answer = await request(url);
    if (answer.kind === "failure") return answer;
    const location = answer.headers.get("location");
    if (answer.status < 300 || answer.status >= 400 || location === null) return { ...answer, url: url.href };
    if (!URL.canParse(location, url.href)) return failure("redirects", `expected a web address, got ${location.slice(0, 100)}`);
    url = new URL(location, url);
  }
  return failure("redirects", `expected at most ${MAX_HOPS}, got more`);
}
