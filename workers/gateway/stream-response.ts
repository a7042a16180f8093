/** Streamed responses: the client reads text while the text is made. If the client leaves, the stream's source is stopped. */

/** One server-sent event. html.spec.whatwg.org/multipage/server-sent-events.html */
export function serverSentEvent(data: unknown, event?: string): string {
  return `${event === undefined ? "" : `event: ${event}\n`}data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`;
}

/** One line of JSON. */
export function jsonLine(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

export function streamResponse(parts: AsyncGenerator<string>, type: "text/event-stream" | "application/x-ndjson"): Response {
  const encoder = new TextEncoder();
  const body = new ReadableStream({
    async pull(controller) {
      const { done, value } = await parts.next();
      if (done === true) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
    async cancel() {
      await parts.return(undefined);
    },
  });
  return new Response(body, { headers: { "content-type": type, "cache-control": "no-store" } });
}
