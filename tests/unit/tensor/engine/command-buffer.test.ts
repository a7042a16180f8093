/** Calls of kernels that wait: in order, before anything reads what they write, and never those of a scope that failed. */
import { beforeEach, expect, test } from "vitest";
import type { KernelExports } from "../../../../shared/tensor/engine/kernel-context.ts";
import { createCommandBuffer, type CommandBuffer } from "../../../../shared/tensor/engine/command-buffer.ts";

let made: string[] = [];
let calls: CommandBuffer;

beforeEach(() => {
  made = [];
  const names = ["matMul", "swiglu", "sumOfSquares", "matMulBytes"];
  const kernel = (name: string) => (value: number) => made.push(`${name} ${value}`) && value;
  calls = createCommandBuffer(Object.fromEntries(names.map((name) => [name, kernel(name)])) as unknown as KernelExports);
});

test("outside of a scope nothing waits", () => {
  calls.kernels.matMul(1);
  expect(made).toEqual(["matMul 1"]);
});

test("within one they wait, in their order, for its end or a flush; sizes do not, and answers come after what waits", () => {
  calls.record(() => {
    calls.kernels.matMul(1);
    calls.kernels.swiglu(2);
    expect(calls.kernels.matMulBytes(3)).toBe(3);
    expect(made.splice(0)).toEqual(["matMulBytes 3"]);
    expect(calls.kernels.sumOfSquares(4)).toBe(4);
    expect(made.splice(0)).toEqual(["matMul 1", "swiglu 2", "sumOfSquares 4"]);
    calls.kernels.matMul(5);
    calls.flush();
    expect(made.splice(0)).toEqual(["matMul 5"]);
    calls.kernels.matMul(6);
    calls.immediately(() => calls.kernels.matMul(7));
    expect(made.splice(0)).toEqual(["matMul 6", "matMul 7"]);
    calls.kernels.matMul(8);
  });
  expect(made).toEqual(["matMul 8"]);
});

test("a scope that fails leaves no call, and those of the scope around it are made", () => {
  calls.record(() => {
    calls.kernels.matMul(1);
    const inner = () =>
      calls.record(() => {
        calls.kernels.matMul(2);
        throw new Error("inner");
      });
    expect(inner).toThrow("inner");
    calls.kernels.matMul(3);
  });
  calls.kernels.matMul(4);
  expect(made).toEqual(["matMul 1", "matMul 3", "matMul 4"]);
});

test("nor does one that fails after a flush", () => {
  calls.record(() => {
    calls.kernels.matMul(1);
    const inner = () =>
      calls.record(() => {
        calls.flush();
        calls.kernels.matMul(2);
        throw new Error("inner");
      });
    expect(inner).toThrow("inner");
  });
  expect(made).toEqual(["matMul 1"]);
});
