/** Bench Worker: POST /first with a spec -> its first checkpoint, POST /next with a state -> the next one. Objects are the bench's. */
import { wasmBytes } from "../../../../shared/tensor/backend.ts";
import { firstCheckpoint, nextCheckpoint } from "../../../../workers/coordinator/reduce.ts";
import type { RunSpec, RunState } from "../../../../workers/coordinator/run-state.ts";

/** As much of a bucket as a reduction uses, at the host that bench/reduce.ts answers for. */
const bucket = {
  async put(key: string, value: Uint8Array<ArrayBuffer>) {
    await (await fetch(`http://objects.invalid/${key}`, { method: "PUT", body: value })).arrayBuffer();
    return null;
  },
  async get(key: string) {
    const { body, headers } = await fetch(`http://objects.invalid/${key}`);
    return { body, size: Number(headers.get("x-size")) };
  },
} as unknown as R2Bucket;

export default {
  async fetch(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/first") return Response.json(await firstCheckpoint(bucket, (await request.json()) as RunSpec));
    if (pathname !== "/next") return new Response("idle");
    const base = await nextCheckpoint(bucket, (await request.json()) as RunState);
    return Response.json({ base, wasmBytes: wasmBytes() });
  },
} satisfies ExportedHandler;
