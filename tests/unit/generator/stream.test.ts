/** The byte stream of a generation: each event is a line, and after the reader leaves, at most one more token is made. */
import { setImmediate } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import type { WrittenEvent } from "../../../shared/contracts/generation.ts";
import { eventStream } from "../../../workers/generator/stream.ts";

const token = (id: number): WrittenEvent => ({ type: "token", choice: 0, id, logProbability: -1 });

test("every event is a line of JSON", async () => {
  const events = [token(1), token(2), { type: "done", canBeScored: true, isSuperseded: false } as const];
  const { readable, finished } = eventStream(
    (async function* all() {
      yield* events;
    })(),
  );
  const text = await new Response(readable).text();
  await finished;
  expect(text.split("\n").map((line) => (line === "" ? null : JSON.parse(line)))).toEqual([...events, null]);
});

test("after the reader leaves, at most one more token is made and the generation cleans up", async () => {
  vi.spyOn(console, "log").mockImplementation(() => undefined);
  let made = 0;
  let isCleanedUp = false;
  async function* endless(): AsyncGenerator<WrittenEvent> {
    try {
      for (;;) {
        yield token(made++);
        await setImmediate();
      }
    } finally {
      isCleanedUp = true;
    }
  }
  const { readable, finished } = eventStream(endless());
  const reader = readable.getReader();
  for (let read = 0; read < 3; read++) await reader.read();
  const before = made;
  await reader.cancel();
  await finished;
  expect(made).toBeLessThanOrEqual(before + 1);
  expect(isCleanedUp).toBe(true);
});
