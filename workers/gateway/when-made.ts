/**
 * A whole answer in JSON that may take seconds, and whose making ends when its client leaves. The platform tells that a client
 * has left only while something is sent to it. So an answer that takes long sends its head and then spaces, which JSON allows
 * before a value (RFC 8259, 2). Errors until then have their status. A later error breaks the connection.
 */
import { log } from "../../shared/log.ts";

/** Most answers and nearly all errors come earlier. */
const PATIENCE_MS = 1000;
/** About so long after its client has left, a generation may go on. */
const BEAT_MS = 500;

/** `make` ends early, with any result or error, once `hasLeft` gives true. */
export async function whenMade(make: (hasLeft: () => boolean) => Promise<object>): Promise<Response> {
  let isLeft = false;
  const made = make(() => isLeft);
  const early = await Promise.race([made, scheduler.wait(PATIENCE_MS)]);
  if (typeof early === "object") return Response.json(early);
  const encoder = new TextEncoder();
  const body = new ReadableStream({
    async pull(controller) {
      const value = await Promise.race([made, scheduler.wait(BEAT_MS)]);
      controller.enqueue(encoder.encode(typeof value === "object" ? JSON.stringify(value) : " "));
      if (typeof value === "object") controller.close();
    },
    cancel() {
      isLeft = true;
      made.catch((error: Error) => log("info", `whole answer: ${error.message}`));
    },
  });
  // A body that is compressed on the way would be held back.
  return new Response(body, { headers: { "content-type": "application/json", "content-encoding": "identity" } });
}
