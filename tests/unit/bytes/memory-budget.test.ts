/** Work that shares a memory budget, with a clock that the test moves. */
import { beforeEach, expect, test, vi } from "vitest";
import { MemoryBudget } from "../../../shared/bytes/memory-budget.ts";

let now = Date.UTC(2026, 11, 1);
beforeEach(() => {
  vi.spyOn(Date, "now").mockImplementation(() => now);
});

/** Waits until due timers have run. Returns true if the promise has settled by then. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  void promise.catch(() => undefined).then(() => (settled = true));
  await new Promise((resolve) => setTimeout(resolve, 100));
  return settled;
}

test("work waits until its memory is free, and smaller work that fits does not wait for it", async () => {
  const budget = new MemoryBudget(100);
  const first = await budget.reserve("first", 60);
  const large = budget.reserve("large", 50);
  expect(await isSettled(large)).toBe(false);
  const small = await budget.reserve("small", 40);
  expect(budget.free).toBe(0);
  first[Symbol.dispose]();
  expect(budget.free).toBe(60);
  (await large)[Symbol.dispose]();
  small[Symbol.dispose]();
  expect(budget.free).toBe(100);
});

test("work that needs more than there is waits until it is alone", async () => {
  const budget = new MemoryBudget(100);
  const first = await budget.reserve("first", 1);
  const huge = budget.reserve("huge", 1000);
  expect(await isSettled(huge)).toBe(false);
  first[Symbol.dispose]();
  expect((await huge).bytes).toBe(100);
});

test("work that gets no memory in time is refused with the figures", async () => {
  const budget = new MemoryBudget(3 * 1024 * 1024);
  const first = await budget.reserve("first", 2 * 1024 * 1024);
  const late = budget.reserve("an upload", 2 * 1024 * 1024);
  for (let minutes = 0; minutes < 2; minutes++) {
    now += 50_000;
    first.renew();
    await isSettled(late);
  }
  await expect(late).rejects.toMatchObject({
    name: "Busy",
    message: "memory: an upload expected 2.0 MiB to become free within 90 s, got 1.0 of 3.0; try again later",
  });
});

test("the memory of work that was killed is free after a minute, and at once for its owner's next work", async () => {
  const budget = new MemoryBudget(100);
  await budget.reserve("killed", 100);
  const waiting = budget.reserve("waiting", 100);
  expect(await isSettled(waiting)).toBe(false);
  now += 60_000;
  await waiting;
  now += 60_000;
  await budget.reserve("killed", 100, "run");
  expect(budget.free).toBe(0);
  const again = await budget.reserve("again", 100, "run");
  now += 40_000;
  again.renew();
  now += 40_000;
  expect(budget.free).toBe(0);
});
