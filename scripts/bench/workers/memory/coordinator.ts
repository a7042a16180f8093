/**
 * The coordinator of `npm run bench -- memory`. It forwards a trainer's calls to the bench in Node, which has the objects. The
 * Worker itself keeps nothing, so workerd's memory is the trainer's memory.
 */
import { WorkerEntrypoint } from "cloudflare:workers";
import type { Lease, Submission, SubmissionReply } from "../../../../shared/training/protocol/task.ts";

/** The test harness sends this Worker's outbound requests to the bench's own `fetch`. */
const BENCH = "http://bench.invalid";

export default class MemoryCoordinator extends WorkerEntrypoint {
  override async fetch(): Promise<Response> {
    return new Response("ready");
  }

  async lease(): Promise<Lease | null> {
    return (await fetch(`${BENCH}/lease`)).json();
  }

  async readObject(_kind: string, hash: string): Promise<ReadableStream> {
    return (await fetch(`${BENCH}/objects/${hash}`)).body!;
  }

  async writePart(_run: string, bytes: Uint8Array<ArrayBuffer> | ReadableStream): Promise<string> {
    return (await fetch(`${BENCH}/objects`, { method: "POST", body: bytes })).text();
  }

  async submit(submission: Submission): Promise<SubmissionReply> {
    await fetch(`${BENCH}/submit`, { method: "POST", body: JSON.stringify(submission) });
    return { accepted: true, duplicate: false };
  }
}
