/**
 * Trainer: stateless compute. A message of the `steps` queue says that a run has work. Further local processes are kept at
 * work by POST /work instead. Both run the same work session against the coordinator.
 */
import { WorkerEntrypoint } from "cloudflare:workers";
import { wasmBytes } from "../../shared/tensor/engine/backend.ts";
import { oneAtATime } from "./one-at-a-time.ts";
import { work } from "./work-session.ts";

/** The number of submitted tasks; 0 when a session is already at work. */
const workOnce = async (env: TrainerEnv) => (await oneAtATime(() => work(env))) ?? 0;

export default class Trainer extends WorkerEntrypoint<TrainerEnv> {
  async health(): Promise<{ ok: true }> {
    return { ok: true };
  }

  override async queue(batch: MessageBatch<{ run: string }>): Promise<void> {
    for (const _ of batch.messages) await workOnce(this.env);
  }

  /** For local work loops: answers 404 unless WORK_LOOP is "on". No public route leads here in any case. */
  override async fetch(request: Request): Promise<Response> {
    const asked = request.method === "POST" && new URL(request.url).pathname === "/work";
    if (!asked || (this.env.WORK_LOOP as string) !== "on") return new Response("not found", { status: 404 });
    return Response.json({ tasks: await workOnce(this.env), wasmBytes: wasmBytes() });
  }
}
