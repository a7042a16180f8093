/**
 * A client of Cloudflare's REST API (developers.cloudflare.com/api). It parses answers, and its errors have Cloudflare's code
 * and message. wrangler uploads the Workers. This client does the checks, lists and deletions between uploads, because each
 * would take a second as a wrangler command. CLOUDFLARE_API_BASE_URL changes the address of the API, as in wrangler.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";

const BASE_URL = "https://api.cloudflare.com/client/v4";
const CALL_TIMEOUT_MS = 120_000;
/**
 * Attempts per call. The API allows 1,200 requests in five minutes
 * (developers.cloudflare.com/fundamentals/api/reference/limits/), so a refused call waits and is sent again.
 */
const MAX_ATTEMPTS = 8;
const TOO_MANY_REQUESTS = 429;
const RETRY_SECONDS = 30;

const envelope = z.object({
  success: z.boolean(),
  errors: z.array(z.object({ code: z.number(), message: z.string() })).default([]),
  result: z.unknown(),
  result_info: z.object({ cursor: z.string().nullish(), is_truncated: z.boolean().nullish() }).nullish(),
});
type Envelope = z.infer<typeof envelope>;

export class ApiError extends Error {
  readonly status: number;
  /** Cloudflare's error codes. */
  readonly codes: readonly number[];

  constructor(message: string, status: number, codes: readonly number[] = []) {
    super(message);
    this.status = status;
    this.codes = codes;
  }
}

type Method = "GET" | "POST" | "PUT" | "DELETE";

export class CloudflareApi {
  readonly account: string;
  readonly #token: string;

  /** Paths are relative to the account; if `account` is empty, to the API's root. */
  constructor(token: string, account = "") {
    this.#token = token;
    this.account = account;
  }

  /** Calls the API and returns the result. Throws an ApiError if the call fails. */
  async call<T extends z.ZodType>(method: Method, path: string, schema: T, body?: unknown): Promise<z.infer<T>> {
    return schema.parse((await this.#envelope(method, path, body)).result);
  }

  /** Calls the API and ignores the result. */
  async send(method: Method, path: string, body?: unknown): Promise<void> {
    await this.#envelope(method, path, body);
  }

  /** The result of a GET, or null for status 404. */
  async find<T extends z.ZodType>(path: string, schema: T): Promise<z.infer<T> | null> {
    try {
      return await this.call("GET", path, schema);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return null;
      throw error;
    }
  }

  /** All pages of a list that uses cursors. */
  async *pages<T extends z.ZodType>(path: string, schema: T): AsyncGenerator<z.infer<T>> {
    let cursor = "";
    do {
      const after = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
      const { result, result_info: info } = await this.#envelope("GET", `${path}?per_page=1000${after}`);
      yield schema.parse(result);
      cursor = info?.is_truncated ? (info.cursor ?? "") : "";
    } while (cursor !== "");
  }

  /** The raw response, for objects, whose bytes are not JSON. */
  async fetch(method: Method, path: string, body?: BodyInit, headers: Record<string, string> = {}): Promise<Response> {
    const root = process.env["CLOUDFLARE_API_BASE_URL"] ?? BASE_URL;
    const url = `${root}${this.account === "" ? "" : `/accounts/${this.account}`}${path}`;
    for (let attempt = 1; ; attempt++) {
      const response = await fetch(url, {
        method,
        headers: { authorization: `Bearer ${this.#token}`, ...headers },
        ...(body === undefined ? {} : { body }),
        signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
      });
      if (response.status !== TOO_MANY_REQUESTS || attempt === MAX_ATTEMPTS) return response;
      await response.body?.cancel();
      await sleep(1000 * Number(response.headers.get("retry-after") ?? RETRY_SECONDS));
    }
  }

  async #envelope(method: Method, path: string, body?: unknown): Promise<Envelope> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const response = await this.fetch(method, path, text, text === undefined ? {} : { "content-type": "application/json" });
    const answer = await response.text();
    const parsed = envelope.safeParse(parseJson(answer));
    if (!parsed.success)
      throw new ApiError(`${method} ${path}: expected JSON of Cloudflare's API, got ${answer.slice(0, 200)}`, response.status);
    if (response.ok && parsed.data.success) return parsed.data;
    const reasons = parsed.data.errors.map(({ code, message }) => `${message} [code: ${code}]`).join("; ");
    const codes = parsed.data.errors.map(({ code }) => code);
    throw new ApiError(`${method} ${path}: expected 2xx, got ${response.status}: ${reasons}`, response.status, codes);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The text is not JSON. The caller's schema refuses undefined and reports the text.
    return undefined;
  }
}
