/**
 * A Cloudflare account on loopback: the part of the REST API that wrangler and scripts/cloudflare/ call. Other requests get
 * 404 and are kept in `unknown`, so a test notices when wrangler begins to send new requests.
 */
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { ACCOUNT_ID, FakeAccount, FILES_TOKENS, Refused } from "./fake-account.ts";
import { databaseRoutes } from "./fake-databases.ts";
import { storageRoutes } from "./fake-storage.ts";
import { workerRoutes } from "./fake-workers.ts";

const refuse = (status: number, code: number, message: string) => ({
  status,
  body: { success: false, errors: [{ code, message }], messages: [], result: null },
});

export class FakeCloudflare extends FakeAccount {
  /** Every request that changes the account, in order. */
  readonly changes: string[] = [];
  readonly unknown: string[] = [];
  url = "";
  readonly #routes = [...workerRoutes(this), ...storageRoutes(this), ...databaseRoutes(this)];
  readonly #server = createServer((request, response) => {
    void this.#answer(request).then(({ status, body, bytes, etag }) => {
      const type = bytes === undefined ? "application/json" : "application/octet-stream";
      response.writeHead(status, { "content-type": type, ...(etag === undefined ? {} : { etag }) });
      response.end(bytes ?? JSON.stringify(body));
    });
  });

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage): Promise<{ status: number; body?: unknown; bytes?: Buffer; etag?: string }> {
    const url = new URL(request.url ?? "/", "http://fake");
    const path = url.pathname.replace(`/accounts/${ACCOUNT_ID}`, "");
    const method = request.method ?? "GET";
    const body = await buffer(request);
    const call = { query: url.searchParams, body, type: request.headers["content-type"] ?? "", origin: this.url };
    const isSigned = path.startsWith("/signed/");
    const token = path.startsWith("/workers/assets/") ? FILES_TOKENS.upload : "fake-token";
    if (!isSigned && request.headers.authorization !== `Bearer ${token}`) return refuse(401, 10_000, "Authentication error");
    for (const [verb, pattern, answer] of this.#routes) {
      const match = verb === method ? pattern.exec(path) : null;
      if (match === null) continue;
      if (method !== "GET") this.changes.push(`${method} ${path}`);
      try {
        const found = answer({ ...call, params: match.slice(1) });
        if ("bytes" in found) return { status: 200, ...found };
        return {
          status: 200,
          body: {
            success: true,
            errors: [],
            messages: [],
            result: found.result,
            result_info: found.info ?? { page: 1, per_page: 100, total_pages: 1 },
          },
        };
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        return refuse(error.status, error.code, error.message);
      }
    }
    this.unknown.push(`${method} ${path}`);
    return refuse(404, 7003, `the fake has no answer to ${method} ${path}`);
  }
}
