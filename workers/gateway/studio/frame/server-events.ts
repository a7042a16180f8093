/**
 * Reads server-sent events from the answer to a POST request. The browser's EventSource can only send GET.
 * html.spec.whatwg.org/multipage/server-sent-events.html
 */

export interface ServerEvent {
  name: string;
  data: string;
}

export async function* serverEvents(response: Response): AsyncGenerator<ServerEvent> {
  if (response.body === null) return;
  let text = "";
  for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
    const blocks = (text + part).split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      const lines = block.split("\n");
      const valueOf = (field: string) =>
        lines
          .filter((line) => line.startsWith(`${field}:`))
          .map((line) => line.slice(field.length + 1).replace(/^ /, ""))
          .join("\n");
      yield { name: valueOf("event") || "message", data: valueOf("data") };
    }
  }
}
