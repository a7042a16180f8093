/**
 * GET requests with limits. `ask` makes one request: it checks the address, limits the time, and limits the bytes after
 * decompression. `fetchPage` follows redirects and checks every hop before it requests the hop. A failure is a returned value
 * with a cause, because it crosses RPC and a crawl counts it.
 */
import { readAtMost } from "../../../shared/bytes/bounded.ts";
import type { FetchFailure } from "../refusal.ts";
import { passOn, type StreamRequest } from "./body-stream.ts";
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
  /** The content; empty if it is streamed. */
  bytes: Uint8Array<ArrayBuffer>;
  /** The content from the requested byte on, if a stream was requested and the status has content; else null. */
  body: ReadableStream<Uint8Array> | null;
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

export interface AskOptions {
  /** Headers that ask for the page only if it has changed. */
  conditions?: Readonly<Record<string, string>>;
  /** Asks for the content as a stream. */
  stream?: StreamRequest | null;
}

/** Makes one request and does not follow redirects. */
export async function ask(
  url: URL,
  localOrigin: string,
  { conditions = {}, stream = null }: AskOptions = {},
  clock: Clock = SYSTEM_CLOCK,
): Promise<Answer | Failure> {
  const refusal = refusalOf(url, localOrigin);
  if (refusal !== null) return failure("refused", refusal);
  const controller = new AbortController();
  const limit = clock.timeout(TIMEOUT_MS);
  const stop = () => controller.abort(limit.reason);
  limit.addEventListener("abort", stop);
  try {
    const response = await fetch(url, {
      redirect: "manual",
      signal: controller.signal,
      headers: {
        "user-agent": `${AGENT}/1.0`,
        accept: "text/html,text/plain,application/xml;q=0.9,*/*;q=0.1",
        ...conditions,
        ...(stream !== null && stream.from > 0 ? { range: `bytes=${stream.from}-` } : {}),
      },
    });
    const { status, headers } = response;
    if (stream !== null && response.body !== null && (status === 200 || status === 206)) {
      // From here on, the stream limits the time of each chunk.
      limit.removeEventListener("abort", stop);
      // A server without ranges sends the resource from its beginning (RFC 9110, section 14.2).
      const body = passOn(response.body, status === 206 ? 0 : stream.from, stream, clock);
      return { kind: "answer", status, headers, bytes: new Uint8Array(), body, truncated: false };
    }
    const { bytes, truncated } = await readAtMost(response.body, MAX_PAGE_BYTES);
    return { kind: "answer", status, headers, bytes, body: null, truncated };
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
