/** The gateway's reading of a generation: for any behaviour of the generator, the last event is the only terminal event. */
import { expect, test, vi } from "vitest";
import type { GenerationEvent } from "../../../shared/contracts/generation.ts";
import { NO_PENALTIES } from "../../../shared/model/penalties.ts";
import { collect, openGeneration } from "../../../workers/gateway/generation.ts";

const HASH = "0".repeat(64);
const START = { type: "start", id: "a", model: HASH, promptTokens: 1 };
const TEXT = { type: "text", choice: 0, delta: "é" };
const DONE = { type: "done", canBeScored: false, isSuperseded: false, receipt: null };
const REQUEST = { prompt: { kind: "text", text: "a" }, temperature: 1, topK: 1, topP: 1, minP: 0 } as const;
const request = {
  ...REQUEST,
  ...NO_PENALTIES,
  logitBias: {},
  maxTokens: 1,
  choices: 1,
  seed: 1,
  stop: [],
  format: null,
  logProbabilities: null,
  echo: false,
  trim: false,
};

/** A generator whose stream has the bytes of `text`, in chunks of two bytes, and then ends or fails. */
function generatorOf(text: string, failure?: Error): GatewayEnv {
  const bytes = new TextEncoder().encode(text);
  let at = 0;
  const stream = async () =>
    new ReadableStream<Uint8Array>({
      pull(controller) {
        if (at < bytes.length) controller.enqueue(bytes.slice(at, (at += 2)));
        else if (failure === undefined) controller.close();
        else controller.error(failure);
      },
    });
  return { GENERATOR: { stream } } as unknown as GatewayEnv;
}
async function eventsOf(env: GatewayEnv): Promise<GenerationEvent[]> {
  const events: GenerationEvent[] = [];
  for await (const event of await openGeneration(env, request, "a")) events.push(event);
  return events;
}
const lines = (...events: object[]) => events.map((event) => `${JSON.stringify(event)}\n`).join("");

test("events arrive whole, for any cuts between their bytes", async () => {
  expect(await eventsOf(generatorOf(lines(START, TEXT, DONE)))).toEqual([START, TEXT, DONE]);
});

test.each([
  ["ends without a terminal event", lines(START, TEXT), undefined],
  ["breaks in the middle of a line", `${lines(START)}{"type":"te`, undefined],
  ["fails", lines(START), new Error("lost")],
  ["sends what is no event", lines(START, { type: "surprise" }), undefined],
])("a generator that %s gives one error at the end", async (_, text, failure) => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  const events = await eventsOf(generatorOf(text, failure));
  const isTerminal = events.map(({ type }) => type === "done" || type === "error");
  expect(isTerminal.indexOf(true)).toBe(events.length - 1);
  expect(events.at(-1)).toMatchObject({ type: "error", name: "Unavailable" });
});

test("nothing follows the terminal event", async () => {
  expect((await eventsOf(generatorOf(lines(START, DONE, TEXT, DONE)))).at(-1)).toEqual(DONE);
});

test("a whole answer fails with the error of its stream", async () => {
  const failed = lines(START, { type: "error", name: "Busy", message: "later" });
  await expect(collect(await openGeneration(generatorOf(failed), request, "a"))).rejects.toMatchObject({ name: "Busy", message: "later" });
});
