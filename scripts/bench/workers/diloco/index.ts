/**
 * Bench Worker. POST /tokens?part=train|val takes uint16 tokens, POST /begin takes a spec, and POST /rounds?seconds=N is
 * repeated until the run is done. One run at a time is kept in the isolate's memory.
 */
import type { RunSpec } from "../../../../shared/training/protocol/run-state.ts";
import { Loop } from "./loop.ts";

const tokens: Record<string, Uint16Array> = {};
let loop: Loop | null = null;

export default {
  async fetch(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/tokens") {
      tokens[searchParams.get("part")!] = new Uint16Array(await request.arrayBuffer());
      return new Response("kept");
    }
    if (pathname === "/begin") {
      loop = await Loop.begin((await request.json()) as RunSpec, tokens["train"]!, tokens["val"]!);
      return new Response("begun");
    }
    if (loop === null) return new Response("expected POST /begin first", { status: 409 });
    return Response.json(await loop.advance(Number(searchParams.get("seconds"))));
  },
} satisfies ExportedHandler;
