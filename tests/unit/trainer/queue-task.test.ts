/** A trainer gets a message of the queue. The run is a small fake that answers as each test says. */
import { expect, test, vi } from "vitest";
import type { LeaseReply, Task } from "../../../shared/training/protocol/task.ts";
import { ARITHMETIC } from "../../../shared/training/protocol/arithmetic.ts";
import { takeMessage } from "../../../workers/trainer/queue-task.ts";

/** Delivers a message to a trainer whose run answers `reply`, and returns what the trainer did. */
async function deliver(reply: LeaseReply) {
  const asked: unknown[] = [];
  const released: unknown[] = [];
  let disposed = 0;
  const run = {
    lease: async (...asking: unknown[]) => {
      asked.push(asking);
      return { ...reply, [Symbol.dispose]: () => disposed++ };
    },
    release: async (...given: unknown[]) => void released.push(given),
  };
  // There is no bucket, so a task fails when it reads its first object.
  const env = { TRAINER_NAME: "trainer", WORK_LOOP: "off", RUN: { getByName: () => run } } as unknown as TrainerEnv;
  const retried: unknown[] = [];
  await takeMessage(env, {
    body: { run: "r" },
    timestamp: new Date(),
    retry: (options: unknown) => retried.push(options),
  } as unknown as Message<{ run: string }>);
  expect(disposed).toBe(asked.length);
  return { asked, retried, released };
}

test("a trainer states its version of the arithmetic, and is done with the message when the coordinator has another", async () => {
  const warned = vi.spyOn(console, "warn").mockReturnValue();
  const { asked, retried } = await deliver({ lease: null, over: false, otherArithmetic: ARITHMETIC + 1 });
  expect(asked).toEqual([[expect.stringMatching(/^trainer-/), 0, ARITHMETIC]]);
  // The run's alarm sends a new message.
  expect(retried).toEqual([]);
  expect(warned.mock.lastCall![0]).toContain(`expected arithmetic ${ARITHMETIC + 1}, this trainer has ${ARITHMETIC}`);
});

test("a message that finds no task is done with", async () => {
  expect((await deliver({ lease: null, over: false })).retried).toEqual([]);
});

test("a task that fails is given back, so that another trainer gets it at once", async () => {
  const logged = vi.spyOn(console, "error").mockReturnValue();
  const task = { run: "r", round: 0, shard: 3, dataset: "0".repeat(64) } as Task;
  const { released, retried } = await deliver({ lease: { id: "l", task, expiresAt: Date.now() + 60_000 }, over: false });
  expect(released).toEqual([[3, "l"]]);
  // The message is done, although its task failed: the run sends a new message.
  expect(retried).toEqual([]);
  expect(logged.mock.lastCall![0]).toContain('"run":"r","round":0,"shard":3');
});
