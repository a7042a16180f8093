/** Messages to trainers: one on its way for each task, however often the run offers its tasks. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { TrainerHints } from "../../../workers/coordinator/trainer-hints.ts";

let sent = 0;
let refuses = false;
const queue = {
  sendBatch: async (messages: Iterable<unknown>) => {
    if (refuses) throw new Error("the queue is down");
    sent += [...messages].length;
  },
} as unknown as Queue;

beforeEach(() => {
  sent = 0;
  refuses = false;
  vi.useFakeTimers();
  vi.spyOn(console, "warn").mockReturnValue();
});
afterEach(() => vi.useRealTimers());

test("alarms add no messages while the first ones wait, as for 240 tasks and ten busy trainers", async () => {
  const hints = new TrainerHints(queue);
  for (let alarm = 0; alarm < 4; alarm++, vi.advanceTimersByTime(14_000)) await hints.send("r", 240);
  expect(sent).toBe(240);
});

test("trainers of another version cost one message per task and alarm, and none remains", async () => {
  const hints = new TrainerHints(queue);
  for (let alarm = 0; alarm < 20; alarm++, vi.advanceTimersByTime(15_000)) {
    await hints.send("r", 250);
    for (let trainer = 0; trainer < 250; trainer++) hints.heard();
  }
  expect(sent).toBe(20 * 250);
});

test("a message that nobody hears of for a minute is sent again, and so is a refused one at once", async () => {
  const hints = new TrainerHints(queue);
  await hints.send("r", 3);
  hints.heard();
  vi.advanceTimersByTime(60_000);
  await hints.send("r", 2);
  expect(sent).toBe(3 + 2);
  refuses = true;
  vi.advanceTimersByTime(60_000);
  await hints.send("r", 2);
  refuses = false;
  await hints.send("r", 2);
  expect(sent).toBe(3 + 2 + 2);
});
