/** Recorded kernel calls run in order, and before anything reads their results. Calls of a failed scope never run. */
import { beforeEach, expect, test } from "vitest";
import type { KernelExports } from "../../../../shared/tensor/engine/kernel-exports.ts";
import { createCommandBuffer, type CommandBuffer } from "../../../../shared/tensor/engine/command-buffer.ts";
import { NONE } from "../../../../shared/tensor/engine/wasm-runtime.ts";

let made: string[] = [];
let commands: CommandBuffer;

/** Kernels that record the name and the last argument of each call, and return this argument. */
const NOTING = new Proxy({} as KernelExports, {
  get:
    (_, name: string) =>
    (...values: number[]) => {
      made.push(`${name} ${values.at(-1)}`);
      return values.at(-1);
    },
});

/** A command, an answer and a query (kernel-exports.ts). */
const add = (n: number): void => commands.kernels.addInPlace(NONE, NONE, n);
const sum = (n: number): number => commands.kernels.sumOfSquares(NONE, n);
const bytes = (columns: number): number => commands.kernels.muonBytes(1, columns);

beforeEach(() => {
  made = [];
  commands = createCommandBuffer(NOTING);
});

test("outside a scope a command runs at once", () => {
  add(1);
  expect(made).toEqual(["addInPlace 1"]);
});

test("in a scope commands wait for its end or a flush; a query waits for nothing, an answer waits for earlier commands", () => {
  commands.record(() => {
    add(1);
    add(2);
    expect(bytes(3)).toBe(3);
    expect(made.splice(0)).toEqual(["muonBytes 3"]);
    expect(sum(4)).toBe(4);
    expect(made.splice(0)).toEqual(["addInPlace 1", "addInPlace 2", "sumOfSquares 4"]);
    add(5);
    commands.flush();
    expect(made.splice(0)).toEqual(["addInPlace 5"]);
    add(6);
    commands.immediately(() => add(7));
    expect(made.splice(0)).toEqual(["addInPlace 6", "addInPlace 7"]);
    add(8);
  });
  expect(made).toEqual(["addInPlace 8"]);
});

test("a failed scope makes no call, and the outer scope makes its own calls", () => {
  commands.record(() => {
    add(1);
    const inner = () =>
      commands.record(() => {
        add(2);
        throw new Error("inner");
      });
    expect(inner).toThrow("inner");
    add(3);
  });
  add(4);
  expect(made).toEqual(["addInPlace 1", "addInPlace 3", "addInPlace 4"]);
});

test("a scope that fails after a flush makes no further calls", () => {
  commands.record(() => {
    add(1);
    const inner = () =>
      commands.record(() => {
        commands.flush();
        add(2);
        throw new Error("inner");
      });
    expect(inner).toThrow("inner");
  });
  expect(made).toEqual(["addInPlace 1"]);
});

test("a command buffer that may not defer makes every call at once", () => {
  commands = createCommandBuffer(NOTING, false);
  commands.record(() => {
    add(1);
    expect(made).toEqual(["addInPlace 1"]);
  });
});
