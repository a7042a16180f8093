/**
 * Serves the documentation of the installed npm packages as an ordinary web site on loopback: one HTML page per README, an
 * index, robots.txt and sitemap.xml. `npm start` crawls this site by default.
 */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { createServer, type Server, type ServerResponse } from "node:http";
import { join } from "node:path";
import { marked } from "marked";
import { ROOT } from "./workers.ts";

const README = /^readme(\.md|\.markdown)?$/i;

/** The READMEs of all packages in node_modules: package name -> path, sorted by name. */
function findReadmes(): Map<string, string> {
  const modules = join(ROOT, "node_modules");
  const names = readdirSync(modules)
    .filter((name) => !name.startsWith("."))
    .flatMap((name) => (name.startsWith("@") ? readdirSync(join(modules, name)).map((part) => `${name}/${part}`) : [name]))
    .toSorted();
  const readmes = new Map<string, string>();
  for (const name of names) {
    const folder = join(modules, name);
    if (!existsSync(join(folder, "package.json"))) continue;
    const file = readdirSync(folder).find((entry) => README.test(entry));
    if (file !== undefined) readmes.set(name, join(folder, file));
  }
  return readmes;
}

const escapeHtml = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

function page(title: string, body: string): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(title)}</title></head><body><nav><a href="/">All packages</a></nav><main><article>${body}</article></main></body></html>`;
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { "content-type": `${type}; charset=utf-8` }).end(body);
}

/** Decodes the percent escapes of a path. An invalid path is returned unchanged. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** Serves the site on 127.0.0.1 and resolves with the listening server. */
export function serveDocs(port: number): Promise<Server> {
  const readmes = findReadmes();
  const origin = `http://127.0.0.1:${port}`;
  const server = createServer((request, response) => {
    const path = decoded(new URL(request.url ?? "/", origin).pathname);
    if (path === "/robots.txt") return send(response, 200, "text/plain", `User-agent: *\nAllow: /\nSitemap: ${origin}/sitemap.xml\n`);
    if (path === "/sitemap.xml") {
      const urls = [...readmes.keys()].map((name) => `<url><loc>${origin}/package/${escapeHtml(name)}</loc></url>`);
      return send(
        response,
        200,
        "application/xml",
        `<?xml version="1.0" encoding="UTF-8"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">${urls.join("")}</urlset>`,
      );
    }
    if (path === "/") {
      const links = [...readmes.keys()].map((name) => `<li><a href="/package/${escapeHtml(name)}">${escapeHtml(name)}</a></li>`);
      return send(response, 200, "text/html", page("Installed packages", `<h1>Installed packages</h1><ul>${links.join("")}</ul>`));
    }
    const file = readmes.get(path.replace(/^\/package\//, ""));
    if (!path.startsWith("/package/") || file === undefined)
      return send(response, 404, "text/html", page("Not found", "<h1>Not found</h1>"));
    const html = marked.parse(readFileSync(file, "utf8"), { async: false });
    return send(response, 200, "text/html", page(path.slice("/package/".length), html));
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve(server));
  });
}
