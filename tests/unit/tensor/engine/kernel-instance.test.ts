/** The kernels' module, and the working memory at a fixed address. */
import { expect, test } from "vitest";
import { instantiateKernels, reserveWorkspace } from "../../../../shared/tensor/engine/kernel-instance.ts";

const KERNELS = { workspaceStart: () => 131_072, workspaceBytes: () => 3072 };

/** An allocator that returns each of `starts` once, and records the requested sizes. */
function runtimeAt(...starts: number[]) {
  const asked: number[] = [];
  const runtime = {
    _malloc(bytes: number) {
      asked.push(bytes);
      return starts.length > 1 ? starts.shift()! : starts[0]!;
    },
    _free: () => undefined,
  };
  return { runtime, asked };
}

test("the reserved block covers the memory from the start of the heap to the end of the working memory", () => {
  const { runtime, asked } = runtimeAt(92_056);
  reserveWorkspace(runtime, KERNELS);
  expect(92_056 + asked.at(-1)!).toBe(131_072 + 3072);
});

test("a heap that begins above the working memory is refused with both addresses", () => {
  expect(() => reserveWorkspace(runtimeAt(140_000).runtime, KERNELS)).toThrow("below 131072, got a heap that begins at 140000");
});

test("a second block is refused if it begins elsewhere and does not cover the working memory", () => {
  expect(() => reserveWorkspace(runtimeAt(92_056, 90_000).runtime, KERNELS)).toThrow("does not contain the working memory up to 134144");
});

test("a module that does not match the contract is refused with the missing exports", () => {
  // Node has the constructor, but workerd's types do not.
  const Compiled = WebAssembly.Module as unknown as new (bytes: Uint8Array) => WebAssembly.Module;
  // The smallest wasm module: its magic number and version.
  const empty = new Compiled(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
  expect(() => instantiateKernels(new WebAssembly.Memory({ initial: 1 }), empty)).toThrow(
    "expected the module to export matMul, matMulBytes",
  );
});
