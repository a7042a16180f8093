/** The READMEs match the repository: tree, Workers, routes and links. The top level has only the files that the design allows. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { DOORS } from "../../../workers/gateway/doors.ts";
import { ROOT, WORKERS } from "../../../scripts/local/workers.ts";

const readme = readFileSync(join(ROOT, "README.md"), "utf8");

const isFolder = (path: string) => statSync(join(ROOT, path)).isDirectory();

/** The paths in the indented tree of the README's first ```text block. */
function treePaths(): string[] {
  const block = /```text\n([\s\S]*?)```/.exec(readme)?.[1] ?? "";
  const stack: string[] = [];
  const paths: string[] = [];
  for (const line of block.split("\n").filter((entry) => entry.trim() !== "")) {
    const indent = line.length - line.trimStart().length;
    const name = line.trim().split(/\s+/)[0]!;
    stack.length = indent / 2;
    stack.push(name.replace(/\/$/, ""));
    paths.push(stack.join("/"));
  }
  return paths;
}

describe("README", () => {
  test("names only files and folders that exist", () => {
    const paths = treePaths();
    expect(paths.length).toBeGreaterThan(20);
    const missing = paths.filter((path) => statSync(join(ROOT, path), { throwIfNoEntry: false }) === undefined);
    expect(missing).toEqual([]);
  });

  test("names every folder of the source tree", () => {
    const named = new Set(treePaths());
    // The tree shows either all folders of a folder or none.
    const opened = new Set([...named].filter((path) => isFolder(path)).map((path) => dirname(path)));
    opened.delete(".");
    expect([...opened]).toEqual(expect.arrayContaining(["workers", "shared"]));
    const folders = [...opened].flatMap((parent) =>
      readdirSync(join(ROOT, parent))
        .filter((name) => !name.startsWith("."))
        .map((name) => `${parent}/${name}`)
        .filter((path) => isFolder(path)),
    );
    expect(folders.filter((folder) => !named.has(folder))).toEqual([]);
  });

  test("names every script that npm runs", () => {
    const named = new Set(treePaths());
    const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { scripts: Record<string, string> };
    const files = Object.values(scripts).flatMap((command) => command.match(/scripts\/[\w-]+\.ts/g) ?? []);
    expect(files.filter((file) => !named.has(file))).toEqual([]);
  });

  test("lists every route of the gateway", () => {
    const listed = DOORS.flatMap(({ routes }) => routes).map(
      ({ method, path }) => `\`${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ":$1")}`,
    );
    expect(listed.filter((route) => !readme.includes(`${route}\``) && !readme.includes(`${route}?`))).toEqual([]);
  });

  test("names only source files that exist", () => {
    const files = [...readme.matchAll(/`((?:workers|shared|scripts|tests)\/[\w./-]+)`/g)].map(([, path]) => path!);
    expect(files.length).toBeGreaterThan(20);
    expect(files.filter((path) => statSync(join(ROOT, path), { throwIfNoEntry: false }) === undefined)).toEqual([]);
  });

  test("lists no route that the gateway lacks", () => {
    const routes = new Set(
      DOORS.flatMap(({ routes: each }) => each).map(
        ({ method, path }) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ":$1")}`,
      ),
    );
    // The gateway makes the first from its routes; the second is the folder of the Studio's files.
    for (const route of ["GET /openapi.json", "GET /studio/"]) routes.add(route);
    const listed = [...readme.matchAll(/`((?:GET|POST|PUT|DELETE) [^`?]+)[^`]*`/g)].map(([, route]) => route!);
    expect(listed.length).toBeGreaterThan(20);
    expect(listed.filter((route) => !routes.has(route))).toEqual([]);
  });

  test("lists every Worker", () => {
    for (const { name } of WORKERS) expect(readme).toContain(`| ${name} |`);
  });
});

test.each(["bench", "soak"])("the README of benches lists every %s and no other", (kind) => {
  const table = readFileSync(join(ROOT, "scripts/bench/README.md"), "utf8").split(`| ${kind} | `)[1]!.split("\n\n")[0]!;
  const listed = [...table.matchAll(/^\| `([\w-]+)` \|/gm)].map(([, name]) => `${name}.ts`);
  const files = readdirSync(join(ROOT, "scripts", kind)).filter((name) => name.endsWith(".ts"));
  expect(listed.toSorted()).toEqual(files.toSorted());
});

test("every link from a README to a file of the repository leads to an existing file", () => {
  const readmes = ["workers", "shared", "scripts"]
    .flatMap((top) => readdirSync(join(ROOT, top), { recursive: true, encoding: "utf8" }).map((path) => join(top, path)))
    .filter((path) => path.endsWith("README.md"));
  const links = ["README.md", ...readmes].flatMap((path) =>
    [...readFileSync(join(ROOT, path), "utf8").matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, target]) => join(dirname(path), target!)),
  );
  expect(links.length).toBeGreaterThan(5);
  expect(links.filter((path) => statSync(join(ROOT, path), { throwIfNoEntry: false }) === undefined)).toEqual([]);
});

test("the top level has only the files that the design allows", () => {
  const allowed = new Set([
    "workers",
    "shared",
    "scripts",
    "tests",
    "wrangler.toml",
    "tsconfig.json",
    "package.json",
    "package-lock.json",
    "README.md",
    "LICENSE",
  ]);
  const visible = readdirSync(ROOT).filter((name) => !name.startsWith(".") && name !== "node_modules");
  expect(visible.filter((name) => !allowed.has(name))).toEqual([]);
});
