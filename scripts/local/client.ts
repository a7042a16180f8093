/** HTTP client of the gateway for the scripts: JSON in, JSON out, the gateway's own words in every error. */

import { setTimeout as sleep } from "node:timers/promises";

const CALL_TIMEOUT_MS = 120_000;
const MAX_ATTEMPTS = 5;
const RETRY_MS = 500;

export class Client {
  readonly #url: string;
  readonly #token: string;

  constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
  }

  /** Sends a request and returns the parsed body. Throws with status and message unless the answer is 2xx. */
  async call<T>(method: "GET" | "POST" | "DELETE", path: string, body?: unknown): Promise<T> {
    const response = await this.#send(method, path, body);
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: expected 2xx, got ${response.status}: ${text.slice(0, 500)}`);
    return JSON.parse(text) as T;
  }

  /** Every call of the scripts may be repeated without harm, so a connection that breaks is tried again a few times. */
  async #send(method: string, path: string, body: unknown): Promise<Response> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await fetch(`${this.#url}${path}`, {
          method,
          headers: { authorization: `Bearer ${this.#token}`, ...(body === undefined ? {} : { "content-type": "application/json" }) },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
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
