/**
 * Serves published models in the layout of Hugging Face's hub. The setting PUBLIC_MODELS decides whether everyone may read
 * them or only the operator. Web pages of other origins may read too, because no request needs a cookie.
 */
import type { Context } from "hono";
import { cors } from "hono/cors";
import { namedError } from "../../../shared/errors.ts";
import { createHandlers, refuse, type Door, type GatewayContext } from "../door.ts";
import { isPublic, requireModelReader } from "../readers.ts";
import { byteRange } from "./byte-range.ts";
import { routes } from "./routes.ts";

const OWNER = "tiffin";
const HEADERS = [
  "ETag",
  "X-Repo-Commit",
  "X-Linked-Size",
  "X-Linked-ETag",
  "Content-Length",
  "Content-Range",
  "Accept-Ranges",
  "X-Error-Code",
];
/**
 * A model's hash always names the same files, but `active` may move to another model. So clients must check before they use a
 * cached file.
 */
const CACHE = "no-cache";

type Repository = Awaited<ReturnType<GatewayEnv["COORDINATOR"]["listRepository"]>>;

const handlers = createHandlers();
handlers.use(
  "/hub/*",
  cors({
    origin: "*",
    allowMethods: ["GET", "HEAD", "POST"],
    allowHeaders: ["Authorization", "Range", "Content-Type"],
    exposeHeaders: HEADERS,
  }),
);
handlers.use("/hub/*", requireModelReader);

/**
 * The files of a model at a revision. A model has one revision, with three names: `main`, `HEAD` and the commit. Throws
 * NotFound, NoModel.
 */
async function repositoryOf(c: Context<GatewayContext>, name: string, revision = "main"): Promise<Repository> {
  const repository = await c.env.COORDINATOR.listRepository(name);
  if (!["main", "HEAD", repository.commit].includes(revision)) {
    c.header("x-error-code", "RevisionNotFound");
    throw namedError("NotFound", `revision: expected main, HEAD or ${repository.commit}, got ${revision}`);
  }
  c.header("x-repo-commit", repository.commit);
  return repository;
}

function infoOf(c: Context<GatewayContext>, { name, commit, publishedAt, licence, files }: Repository) {
  return {
    _id: commit,
    id: `${OWNER}/${name}`,
    modelId: `${OWNER}/${name}`,
    sha: commit,
    private: !isPublic(c.env, "PUBLIC_MODELS"),
    gated: false as const,
    disabled: false as const,
    downloads: 0 as const,
    likes: 0 as const,
    lastModified: publishedAt,
    createdAt: publishedAt,
    pipeline_tag: "text-generation",
    library_name: "transformers",
    tags: ["qwen3", "tiffin", `license:${licence}`],
    siblings: files.map(({ path }) => ({ rfilename: path })),
  };
}

const asFile = ({ path, size, oid }: Repository["files"][number]) => ({ type: "file" as const, path, size, oid });

handlers.openapi(routes.info, async (c) => c.json(infoOf(c, await repositoryOf(c, c.req.valid("param").name)), 200));
handlers.openapi(routes.revision, async (c) => {
  const { name, revision } = c.req.valid("param");
  return c.json(infoOf(c, await repositoryOf(c, name, revision)), 200);
});
handlers.openapi(routes.tree, async (c) => {
  const { name, revision } = c.req.valid("param");
  const { files, commit } = await repositoryOf(c, name, revision);
  if (c.req.valid("query").recursive === "true") return c.json(files.map(asFile), 200);
  const folders = new Set(files.filter(({ path }) => path.includes("/")).map(({ path }) => path.split("/")[0]!));
  const directories = [...folders].map((path) => ({ type: "directory" as const, path, size: 0 as const, oid: commit }));
  return c.json([...directories, ...files.filter(({ path }) => !path.includes("/")).map(asFile)], 200);
});
handlers.openapi(routes.pathsInfo, async (c) => {
  const { name, revision } = c.req.valid("param");
  const { files, commit, publishedAt } = await repositoryOf(c, name, revision);
  const asked = new Set([c.req.valid("json").paths].flat());
  const lastCommit = { id: commit, title: "Published by Tiffin", date: publishedAt };
  return c.json(
    files.filter(({ path }) => asked.has(path)).map(({ path, size, oid }) => ({ type: "file" as const, path, size, oid, lastCommit })),
    200,
  );
});

handlers.openAPIRegistry.registerPath(routes.resolve);
// A file may be in a folder, and an OpenAPI path cannot express this. So this route is not in the OpenAPI document.
handlers.get("/hub/:owner/:name/resolve/:revision/:file{.+}", async (c) => {
  const { owner, name, revision, file: path } = c.req.param();
  if (owner !== OWNER) return refuse(c, 404, `owner: expected ${OWNER}, got ${owner}`);
  const { files } = await repositoryOf(c, name, revision);
  const file = files.find((each) => each.path === path);
  if (file === undefined) {
    c.header("x-error-code", "EntryNotFound");
    return refuse(c, 404, `file: expected one of ${files.map((each) => each.path).join(", ")}, got ${path}`);
  }
  const etag = `"${file.oid}"`;
  c.header("etag", etag);
  c.header("accept-ranges", "bytes");
  c.header("cache-control", CACHE);
  if (
    c.req
      .header("if-none-match")
      ?.split(",")
      .some((tag) => tag.trim().replace(/^W\//, "") === etag)
  )
    return c.body(null, 304);
  const isSame = (c.req.header("if-range") ?? etag) === etag;
  const range = byteRange(isSame ? c.req.header("range") : undefined, file.size);
  if (range === "unsatisfiable") {
    c.header("content-range", `bytes */${file.size}`);
    return refuse(c, 416, `range: expected bytes below ${file.size}, got ${c.req.header("range")}`);
  }
  const { start, end } = range === "whole" ? { start: 0, end: file.size } : range;
  c.header(
    "content-type",
    path.endsWith(".json") ? "application/json" : path.endsWith(".md") ? "text/markdown; charset=utf-8" : "application/octet-stream",
  );
  c.header("content-length", String(end - start));
  c.header("x-linked-size", String(file.size));
  c.header("x-linked-etag", etag);
  if (range !== "whole") c.header("content-range", `bytes ${start}-${end - 1}/${file.size}`);
  const status = range === "whole" ? 200 : 206;
  if (c.req.method === "HEAD") return c.body(null, status);
  const bytes = await c.env.COORDINATOR.readRepository(name, path, start, end);
  return c.body(bytes.pipeThrough(new FixedLengthStream(end - start)), status);
});

export const hubDoor: Door = {
  prefix: "/hub/",
  routes: Object.values(routes),
  handlers,
  errorBody: (_, message) => ({ error: message }),
};
