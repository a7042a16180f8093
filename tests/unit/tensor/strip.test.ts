import { expect, test } from "vitest";
import type { WasmRuntime } from "../../../shared/tensor/engine/backend.ts";
import { reserveStrip, type KernelExports } from "../../../shared/tensor/engine/kernel-context.ts";

const KERNELS = { stripStart: () => 131_072, stripBytes: () => 3072 } as unknown as KernelExports;

/** An allocator that hands out memory from `heap` on, and notes what it was asked for. */
function runtimeAt(heap: number): { runtime: WasmRuntime; asked: number[] } {
  const asked: number[] = [];
  const runtime = {
    _malloc(bytes: number) {
      asked.push(bytes);
      return heap;
    },
    _free: () => undefined,
  } as unknown as WasmRuntime;
  return { runtime, asked };
}

test("the block that is taken reaches from the heap's beginning over the strip", () => {
  const { runtime, asked } = runtimeAt(92_056);
  reserveStrip(runtime, KERNELS);
  expect(92_056 + asked.at(-1)!).toBe(131_072 + 3072);
});

test("a heap that begins above the strip's fixed place is refused with both addresses", () => {
  expect(() => reserveStrip(runtimeAt(140_000).runtime, KERNELS)).toThrow("below 131072, it begins at 140000");
});

test("a second block that begins elsewhere and ends before the strip does is refused", () => {
  const starts = [92_056, 90_000];
  const runtime = { _malloc: () => starts.shift()!, _free: () => undefined } as unknown as WasmRuntime;
  expect(() => reserveStrip(runtime, KERNELS)).toThrow("does not hold the strip up to 134144");
});
