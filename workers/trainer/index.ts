/**
 * Trainer: stateless compute. Each message of the `steps` queue stands for one task. The trainer processes of a local Tiffin have
 * no queue; there POST /work starts a work loop.
 */
import { WorkerEntrypoint } from "cloudflare:workers";
import { wasmBytes } from "../../shared/tensor/engine/backend.ts";
import { isWorkLoop, oneAtATime } from "./isolate.ts";
import { takeMessage } from "./queue-task.ts";
import { work } from "./work-session.ts";

export default class Trainer extends WorkerEntrypoint<TrainerEnv> {
  async health(): Promise<{ ok: true }> {
    return { ok: true };
  }

  override async queue(batch: MessageBatch<{ run: string }>): Promise<void> {
    for (const message of batch.messages) await takeMessage(this.env, message);
  }

  /**
   * Answers POST /work in the trainer processes of a local Tiffin, with the number of submitted tasks. No public route leads
   * here.
   */
  override async fetch(request: Request): Promise<Response> {
    const isAsked = request.method === "POST" && new URL(request.url).pathname === "/work";
    if (!isAsked || !isWorkLoop(this.env)) return new Response("not found", { status: 404 });
    const tasks = (await oneAtATime((turn) => work(this.env, turn))) ?? 0;
    return Response.json({ tasks, wasmBytes: wasmBytes() });
  }
}
