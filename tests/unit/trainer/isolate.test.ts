/** Which work has the turn in an isolate, on a clock that the test moves. */
import { beforeEach, expect, test, vi } from "vitest";
import { MAX_CPU_SECONDS } from "../../../shared/limits.ts";
import type { Lease } from "../../../shared/training/protocol/task.ts";
import { oneAtATime } from "../../../workers/trainer/isolate.ts";

const done = async () => "done";
/** Work that the platform has killed never ends. */
const killed = (lease?: Lease) =>
  void oneAtATime((turn) => {
    if (lease !== undefined) turn.hold(lease);
    return Promise.withResolvers<string>().promise;
  });
const leaseUntil = (expiresAt: number) => ({ expiresAt }) as Lease;
let now = Date.UTC(2026, 10, 27);

beforeEach(() => {
  // After this time, every turn of an earlier test is over.
  now += 3_600_000;
  vi.spyOn(Date, "now").mockImplementation(() => now);
});

test("work excludes other work until it ends, even by an error", async () => {
  const first = Promise.withResolvers<string>();
  const going = oneAtATime(() => first.promise);
  expect(await oneAtATime(done)).toBeNull();
  first.reject(new Error("lost"));
  await expect(going).rejects.toThrow("lost");
  expect(await oneAtATime(done)).toBe("done");
});

test("an isolate whose invocation was killed works again soon after that invocation's lease ends", async () => {
  killed(leaseUntil(now + 100_000));
  now += 100_000;
  expect(await oneAtATime(done)).toBeNull();
  now += 30_000;
  expect(await oneAtATime(done)).toBe("done");
});

test("an isolate whose invocation was killed without a lease works again after half a minute", async () => {
  killed();
  now += 29_999;
  expect(await oneAtATime(done)).toBeNull();
  now += 1;
  expect(await oneAtATime(done)).toBe("done");
});

test("a lease holds the turn no longer than an invocation can last", async () => {
  killed(leaseUntil(now + 86_400_000));
  now += 1000 * MAX_CPU_SECONDS + 30_000;
  expect(await oneAtATime(done)).toBe("done");
});

test("work that ends after its turn was given away leaves the turn to its successor", async () => {
  const slow = Promise.withResolvers<string>();
  const late = oneAtATime(() => slow.promise);
  now += 30_000;
  const next = Promise.withResolvers<string>();
  const taken = oneAtATime(() => next.promise);
  slow.resolve("late");
  expect(await late).toBe("late");
  expect(await oneAtATime(done)).toBeNull();
  next.resolve("next");
  expect(await taken).toBe("next");
  expect(await oneAtATime(done)).toBe("done");
});
