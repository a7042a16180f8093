/**
 * Bench Worker. POST /first takes a spec and returns the first checkpoint. POST /next takes a state and returns the next
 * checkpoint. The bench keeps the objects.
 */
import { wasmBytes } from "../../../../shared/tensor/engine/backend.ts";
import { firstCheckpoint, nextCheckpoint } from "../coordinator.ts";
import type { RunSpec, RunState } from "../../../../shared/training/protocol/run-state.ts";

const PIECE_BYTES = 256 * 1024;

/** The bucket methods that a reduction calls. Fetches of this Worker go to bench/reduce.ts. */
const bucket = {
  async put(key: string, value: Uint8Array<ArrayBuffer>) {
    // The body is streamed: from a plain body `fetch` would make a copy, and keep it until the next garbage collection.
    const { readable, writable } = new FixedLengthStream(value.byteLength);
    const answer = fetch(`http://objects.invalid/${key}`, { method: "PUT", body: readable });
    const writer = writable.getWriter();
    for (let at = 0; at < value.byteLength; at += PIECE_BYTES) await writer.write(value.subarray(at, at + PIECE_BYTES));
    await writer.close();
    await (await answer).arrayBuffer();
    // Null would mean that the object was not written.
    return {};
  },
  async get(key: string) {
    const { body, headers } = await fetch(`http://objects.invalid/${key}`);
    return { body, size: Number(headers.get("content-length")) };
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
