/** Cached looks with the test's own clock and a thousand requests per second. */
import { expect, test } from "vitest";
import { createCachedLook } from "../../../workers/gateway/cached-look.ts";

const SETTINGS = { freshMs: 1000, patienceMs: 5000 };

/** A clock that moves on when nothing is left to run. */
function createClock() {
  let time = 0;
  const waiting: { until: number; wake: () => void }[] = [];
  return {
    now: () => time,
    wait: (ms: number) =>
      new Promise<void>((wake) => {
        waiting.push({ until: time + ms, wake });
      }),
    async advance(ms: number): Promise<void> {
      for (const end = time + ms; time < end; time++) {
        for (const entry of waiting.splice(0))
          if (entry.until <= time) entry.wake();
          else waiting.push(entry);
        for (let turn = 0; turn < 5; turn++) await Promise.resolve();
      }
    },
  };
}

test("a thousand requests per second cost one look per second, and each gets a value", async () => {
  const clock = createClock();
  const cached = createCachedLook<number>({ ...SETTINGS, ...clock });
  let looks = 0;
  const look = async () => {
    looks++;
    await clock.wait(50);
    return looks;
  };
  const answers: Promise<number | null>[] = [];
  for (let request = 0; request < 3000; request++) {
    answers.push(cached(look));
    await clock.advance(1);
  }
  await clock.advance(100);
  expect((await Promise.all(answers)).filter((value) => value === null)).toEqual([]);
  expect(looks).toBe(3);
});

test("when the time of a cut-off look is over, another look starts; meanwhile requests get the last value", async () => {
  const clock = createClock();
  const cached = createCachedLook<string>({ ...SETTINGS, ...clock });
  expect(await cached(async () => "first")).toBe("first");
  await clock.advance(1000);
  void cached(() => new Promise(() => undefined));
  await clock.advance(10);
  expect(await cached(async () => "second")).toBe("first");
  await clock.advance(SETTINGS.patienceMs);
  expect(await cached(async () => "second")).toBe("second");
});

test("without permission to look, requests get the last value, or null if there is none", async () => {
  const clock = createClock();
  const cached = createCachedLook<string>({ ...SETTINGS, ...clock });
  expect(await cached(async () => null)).toBe(null);
  expect(await cached(async () => "seen")).toBe("seen");
  await clock.advance(60_000);
  expect(await cached(async () => null)).toBe("seen");
});

test("a failed look is an error only for its own request", async () => {
  const clock = createClock();
  const cached = createCachedLook<string>({ ...SETTINGS, ...clock });
  await expect(cached(() => Promise.reject(new Error("down")))).rejects.toThrow("down");
  expect(await cached(async () => "up")).toBe("up");
});
