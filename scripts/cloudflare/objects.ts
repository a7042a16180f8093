/**
 * Reads and writes objects in an account's R2 buckets over the REST API. Slashes in keys are kept; all other special characters
 * are escaped.
 */
import { z } from "zod";
import { ApiError, type CloudflareApi } from "./api.ts";

const listing = z.array(z.object({ key: z.string(), size: z.number() }));

export interface ObjectEntry {
  key: string;
  size: number;
}

const pathOf = (bucket: string, key: string) => `/r2/buckets/${bucket}/objects/${key.split("/").map(encodeURIComponent).join("/")}`;

async function request(api: CloudflareApi, method: "GET" | "PUT" | "DELETE", path: string, body?: BodyInit): Promise<Response> {
  const response = await api.fetch(method, path, body);
  if (!response.ok)
    throw new ApiError(
      `${method} ${path}: expected 2xx, got ${response.status}: ${(await response.text()).slice(0, 300)}`,
      response.status,
    );
  return response;
}

export async function* listObjects(api: CloudflareApi, bucket: string): AsyncGenerator<ObjectEntry> {
  for await (const page of api.pages(`/r2/buckets/${bucket}/objects`, listing)) yield* page;
}

export async function putObject(api: CloudflareApi, bucket: string, key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  await (await request(api, "PUT", pathOf(bucket, key), bytes)).body?.cancel();
}

export async function getObject(api: CloudflareApi, bucket: string, key: string): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await (await request(api, "GET", pathOf(bucket, key))).arrayBuffer());
}

export async function deleteObject(api: CloudflareApi, bucket: string, key: string): Promise<void> {
  await (await request(api, "DELETE", pathOf(bucket, key))).body?.cancel();
}
