/** An event stream continues when the object behind it restarts. Opening the source again costs one call. */
import { beforeEach, describe, expect, it, vi } from "vitest";
import { lastingEvents } from "../../../workers/coordinator/events.ts";

beforeEach(() => {
  vi.stubGlobal("scheduler", { wait: async () => undefined });
});

const bytesOf = (text: string) => new TextEncoder().encode(text);

/** A stream of these chunks that then ends or breaks. */
function source(chunks: readonly string[], end: "ends" | "breaks"): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream(
    {
      pull(controller) {
        const chunk = chunks[at++];
        if (chunk !== undefined) controller.enqueue(bytesOf(chunk));
        else if (end === "ends") controller.close();
        else controller.error(new Error("the object was reset"));
      },
    },
    { highWaterMark: 0 },
  );
}

/** The text of a lasting stream over sources that are opened one after the other, and the number of opened sources. */
async function read(sources: readonly (() => ReadableStream<Uint8Array>)[]) {
  let opened = 0;
  const open = async () => {
    const next = sources[opened++];
    if (next === undefined) throw new Error("the object is down");
    return next();
  };
  const text = await new Response(lastingEvents(open)).text();
  return { text, opened };
}

describe("a lasting stream", () => {
  it("costs one call, however many events it carries", async () => {
    const events = Array.from({ length: 20_000 }, (_, index) => `data: ${index}\n\n`);
    const { text, opened } = await read([() => source(events, "ends")]);
    expect(opened).toBe(1);
    expect(text).toBe(events.join(""));
  });

  it("continues after its object was reset, and passes on no half event", async () => {
    const { text, opened } = await read([
      () => source(["data: 1\n\nda", "ta: 2\n\ndata: half"], "breaks"),
      () => source(["data: 3\n\n"], "breaks"),
      () => source(["data: 4\n\n"], "ends"),
    ]);
    expect(opened).toBe(3);
    expect(text).toBe("data: 1\n\ndata: 2\n\ndata: 3\n\ndata: 4\n\n");
  });

  it("ends with the error if the object stays down", async () => {
    await expect(read([() => source(["data: 1\n\n"], "breaks")])).rejects.toThrow("the object is down");
  });
});
