/** HTTP client of the gateway for the scripts: JSON or bytes in, parsed JSON out. Errors carry the gateway's own message. */
import { setTimeout as sleep } from "node:timers/promises";
import type { z } from "zod";

const CALL_TIMEOUT_MS = 120_000;
const MAX_ATTEMPTS = 5;
const RETRY_MS = 500;

export type Method = "GET" | "POST" | "PUT" | "DELETE";

/** Bytes go out as they are, everything else as JSON. */
const typeOf = (body: unknown) => (body instanceof Uint8Array ? "application/octet-stream" : "application/json");

export class Client {
  readonly #url: string;
  readonly #token: string;

  constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
  }

  /** Sends a request and returns the answer as `schema` reads it. Throws with status and message unless the status is 2xx. */
  async call<T extends z.ZodType>(method: Method, path: string, schema: T, body?: unknown): Promise<z.infer<T>> {
    const text = await this.send(method, path, body);
    const parsed = schema.safeParse(JSON.parse(text));
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    throw new Error(`${method} ${path}: expected the answer of this version, got ${issue?.path.join(".")}: ${issue?.message}`);
  }

  /** Sends a request and returns the answer's text. Throws like `call`. */
  async send(method: Method, path: string, body?: unknown): Promise<string> {
    const response = await this.#fetch(method, path, body);
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: expected 2xx, got ${response.status}: ${text.slice(0, 500)}`);
    return text;
  }

  /** Every call of the scripts can be repeated without harm, so a broken connection is tried again a few times. */
  async #fetch(method: Method, path: string, body: unknown): Promise<Response> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await fetch(`${this.#url}${path}`, {
          method,
          headers: { authorization: `Bearer ${this.#token}`, ...(body === undefined ? {} : { "content-type": typeOf(body) }) },
          ...(body === undefined ? {} : { body: body instanceof Uint8Array ? (body as Uint8Array<ArrayBuffer>) : JSON.stringify(body) }),
          signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
        });
      } catch (error) {
        if (attempt === MAX_ATTEMPTS)
          throw new Error(`${method} ${path}: expected an answer from ${this.#url}, got ${(error as Error).message}`, { cause: error });
        await sleep(RETRY_MS * attempt);
      }
    }
  }
}
