/**
 * The routes of Hugging Face's hub that its clients need: `@huggingface/hub` (hubUrl), transformers.js (env.remoteHost) and
 * programs that download a file by its address.
 */
import { createRoute, z } from "@hono/zod-openapi";
import { readers } from "../readers.ts";
import { json as jsonOf, refusalsOf } from "../responses.ts";

const refusals = refusalsOf(400, 401, 404, 500, 503);
const json = <T extends z.ZodType>(schema: T, description: string) => ({
  200: jsonOf(schema, description),
  ...refusals,
});
/** A model is named by its hash, by its name (tiffin- and the first twelve digits of the hash) or by the word `active`. */
const modelParams = z.object({ owner: z.literal("tiffin"), name: z.string().min(1).max(128) });
const revisionParams = modelParams.extend({ revision: z.string().min(1).max(64) });

const fileSchema = z.object({ type: z.literal("file"), path: z.string(), size: z.int(), oid: z.string() });
const directorySchema = z.object({ type: z.literal("directory"), path: z.string(), size: z.literal(0), oid: z.string() });
const pathInfoSchema = fileSchema.extend({ lastCommit: z.object({ id: z.string(), title: z.string(), date: z.string() }) });
const infoSchema = z.object({
  _id: z.string(),
  id: z.string(),
  modelId: z.string(),
  sha: z.string(),
  private: z.boolean(),
  gated: z.literal(false),
  disabled: z.literal(false),
  downloads: z.literal(0),
  likes: z.literal(0),
  lastModified: z.string(),
  createdAt: z.string(),
  pipeline_tag: z.string(),
  library_name: z.string(),
  tags: z.array(z.string()),
  siblings: z.array(z.object({ rfilename: z.string() })),
});
export const pathsBodySchema = z.object({ paths: z.union([z.string(), z.array(z.string()).max(1000)]), expand: z.boolean().optional() });

export const routes = {
  info: createRoute({
    method: "get",
    path: "/hub/api/models/{owner}/{name}",
    security: readers,
    request: { params: modelParams },
    responses: json(infoSchema, "A published model"),
  }),
  revision: createRoute({
    method: "get",
    path: "/hub/api/models/{owner}/{name}/revision/{revision}",
    security: readers,
    request: { params: revisionParams },
    responses: json(infoSchema, "The same"),
  }),
  tree: createRoute({
    method: "get",
    path: "/hub/api/models/{owner}/{name}/tree/{revision}",
    security: readers,
    request: { params: revisionParams, query: z.object({ recursive: z.enum(["true", "false"]).default("false") }) },
    responses: json(z.array(z.union([fileSchema, directorySchema])), "Its files"),
  }),
  pathsInfo: createRoute({
    method: "post",
    path: "/hub/api/models/{owner}/{name}/paths-info/{revision}",
    security: readers,
    request: { params: revisionParams, body: { content: { "application/json": { schema: pathsBodySchema } }, required: true } },
    responses: { ...json(z.array(pathInfoSchema), "Some of its files"), ...refusalsOf(413, 415) },
  }),
  resolve: createRoute({
    method: "get",
    path: "/hub/{owner}/{name}/resolve/{revision}/{file}",
    security: readers,
    request: { params: revisionParams.extend({ file: z.string() }) },
    responses: {
      200: { content: { "application/octet-stream": { schema: z.string() } }, description: "A file; HEAD, ranges and If-None-Match work" },
      206: { content: { "application/octet-stream": { schema: z.string() } }, description: "A part of the file" },
      304: { description: "The file has not changed" },
      ...refusalsOf(416),
      ...refusals,
    },
  }),
} as const;
