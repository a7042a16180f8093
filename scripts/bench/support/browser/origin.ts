/**
 * An origin on this machine with everything that other runtimes need in a browser: an empty page, the installed packages,
 * Tiffin's runtime, and the hub of a running Tiffin with the operator's token added.
 */
import { createReadStream, existsSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

const TYPES: Readonly<Record<string, string>> = { ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm" };

export interface Origin {
  url: string;
  close(): void;
}

async function sendPackage(path: string, packages: string, response: ServerResponse): Promise<void> {
  const file = join(packages, normalize(path));
  if (!existsSync(file)) return void response.writeHead(404).end();
  response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "application/octet-stream" });
  await pipeline(createReadStream(file), response);
}

async function sendHub(path: string, { url, token }: { url: string; token: string }, response: ServerResponse): Promise<void> {
  const answer = await fetch(url + path, { headers: { authorization: `Bearer ${token}` } });
  const type = answer.headers.get("content-type");
  response.writeHead(answer.status, type === null ? {} : { "content-type": type });
  if (answer.body === null) response.end();
  else await pipeline(Readable.fromWeb(answer.body as never), response);
}

/** Serves `/`, `/tiffin.js` with the given code, `/packages/` from the folder `packages`, and `/hub/` of `tiffin`. */
export async function serveOrigin(packages: string, runtime: Uint8Array, tiffin: { url: string; token: string }): Promise<Origin> {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://localhost").pathname;
    const send = async (): Promise<void> => {
      if (path.startsWith("/packages/")) await sendPackage(path.slice("/packages".length), packages, response);
      else if (path.startsWith("/hub/")) await sendHub(path, tiffin, response);
      else if (path === "/tiffin.js") response.writeHead(200, { "content-type": TYPES[".js"] }).end(runtime);
      else response.writeHead(path === "/" ? 200 : 404, { "content-type": "text/html" }).end("<!doctype html><title>Bench</title>");
    };
    send().catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() };
}
