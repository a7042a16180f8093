/**
 * The scripts' HTTP client of the gateway. It sends JSON, lines of JSON or bytes, and parses JSON answers. Errors contain the
 * gateway's own message.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { z } from "zod";

const CALL_TIMEOUT_MS = 120_000;
const MAX_ATTEMPTS = 5;
const RETRY_MS = 500;

export type Method = "GET" | "POST" | "PUT" | "DELETE";

/** Bytes are sent unchanged, a string as lines of JSON, every other value as JSON. */
function encoded(body: unknown): { type: string; bytes: Uint8Array<ArrayBuffer> | string } {
  if (body instanceof Uint8Array) return { type: "application/octet-stream", bytes: body as Uint8Array<ArrayBuffer> };
  return typeof body === "string" ? { type: "application/jsonl", bytes: body } : { type: "application/json", bytes: JSON.stringify(body) };
}

export class Client {
  readonly #url: string;
  readonly #token: string;

  constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
  }

  /** Sends a request and parses the answer with `schema`. If the status is not 2xx, throws with status and message. */
  async call<T extends z.ZodType>(method: Method, path: string, schema: T, body?: unknown): Promise<z.infer<T>> {
    const text = await this.send(method, path, body);
    const parsed = schema.safeParse(JSON.parse(text));
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    throw new Error(`${method} ${path}: expected the answer of this version, got ${issue?.path.join(".")}: ${issue?.message}`);
  }

  /** Sends a request and returns the text of the answer. Throws like `call`. */
  async send(method: Method, path: string, body?: unknown): Promise<string> {
    const response = await this.#fetch(method, path, body);
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: expected 2xx, got ${response.status}: ${text.slice(0, 500)}`);
    return text;
  }

  /** The scripts' calls can all be repeated without harm, so a call with a broken connection is retried a few times. */
  async #fetch(method: Method, path: string, body: unknown): Promise<Response> {
    const sent = body === undefined ? null : encoded(body);
    for (let attempt = 1; ; attempt++) {
      try {
        return await fetch(`${this.#url}${path}`, {
          method,
          headers: { authorization: `Bearer ${this.#token}`, ...(sent === null ? {} : { "content-type": sent.type }) },
          ...(sent === null ? {} : { body: sent.bytes }),
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
