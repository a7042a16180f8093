import { expect, test, vi } from "vitest";
import { MAX_CONSUMER_SECONDS } from "../../../shared/limits.ts";
import { oneAtATime } from "../../../workers/trainer/one-at-a-time.ts";

const done = async () => "done";

test("a session excludes others until it ends, fails, or can no longer be alive", async () => {
  let now = Date.UTC(2026, 10, 27);
  vi.spyOn(Date, "now").mockImplementation(() => now);

  const first = Promise.withResolvers<string>();
  const going = oneAtATime(() => first.promise);
  expect(await oneAtATime(done)).toBeNull();
  first.reject(new Error("lost"));
  await expect(going).rejects.toThrow("lost");
  expect(await oneAtATime(done)).toBe("done");

  // Ended by the platform: it never returns.
  const lost = Promise.withResolvers<string>();
  const late = oneAtATime(() => lost.promise);
  now += MAX_CONSUMER_SECONDS * 1000 - 1;
  expect(await oneAtATime(done)).toBeNull();
  now += 1;
  const second = Promise.withResolvers<string>();
  const taken = oneAtATime(() => second.promise);

  // It does return: the session that took its place still excludes others.
  lost.resolve("late");
  expect(await late).toBe("late");
  expect(await oneAtATime(done)).toBeNull();
  second.resolve("second");
  expect(await taken).toBe("second");
  expect(await oneAtATime(done)).toBe("done");
});
