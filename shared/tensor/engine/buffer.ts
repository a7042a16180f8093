/**
 * Buffers: numbers in tfjs's wasm memory that tfjs does not know. For each tensor its engine and backend keep two weak maps, a
 * record in wasm, scopes and counts, and leave garbage: 1 ms of a training step of 76 ms. A pass that frees by hand needs none
 * of that. Kernels take buffers and tensors alike.
 */
import * as tf from "@tensorflow/tfjs-core";
import { Arena, PlainMemory, type ScopeMemory } from "./arena.ts";
import type { Kernel, KernelContext } from "./kernel-context.ts";
import { pointer, type Pointer } from "./wasm-runtime.ts";

/** Where a buffer begins. It stands in for tfjs's id of a tensor's data. */
export class Address {
  readonly offset: Pointer;
  constructor(offset: Pointer) {
    this.offset = offset;
  }
}

/** Memory of a scope, and how many buffers share it. */
class Allocation extends Address {
  references = 1;
  readonly memory: ScopeMemory;
  readonly bytes: number;
  constructor(memory: ScopeMemory, bytes: number) {
    super(pointer(memory.allocate(bytes)));
    this.memory = memory;
    this.bytes = bytes;
  }
}

interface Heap {
  context: KernelContext;
  registered: ReadonlyMap<string, Kernel>;
  /** Whether a scope's memory is an arena. */
  hasArena: boolean;
}

let heap: Heap | null = null;
/** The memory of the innermost scope. */
let scope: ScopeMemory | null = null;

/** From now on buffers are allocated, and kernels found, there. */
export function useHeap(context: KernelContext, registered: ReadonlyMap<string, Kernel>, hasArena: boolean): void {
  heap = { context, registered, hasArena };
}

function opened(): Heap {
  if (heap === null) throw new Error("heap: expected the kernels to be registered, they are not; call startBackend first");
  return heap;
}

/** Numbers, row-major. Their memory is freed with the last buffer that shares it. */
export class HeapBuffer implements tf.TensorInfo {
  readonly shape: number[];
  readonly dtype: "float32" | "int32";
  readonly dataId: Address;
  readonly #allocation: Allocation;

  constructor(allocation: Allocation, shape: number[], dtype: "float32" | "int32", address: Address = allocation) {
    this.#allocation = allocation;
    this.shape = shape;
    this.dtype = dtype;
    this.dataId = address;
  }

  /** A second buffer of another shape on the same numbers. */
  view(shape: number[]): HeapBuffer {
    this.#allocation.references++;
    return new HeapBuffer(this.#allocation, shape, this.dtype, this.dataId);
  }

  /** The buffer in another shape. This object is consumed. */
  shaped(shape: number[]): HeapBuffer {
    return new HeapBuffer(this.#allocation, shape, this.dtype, this.dataId);
  }

  /** A second buffer on `count` rows of the first axis, from row `first` on. */
  rows(first: number, count: number): HeapBuffer {
    const [all, ...rest] = this.shape as [number, ...number[]];
    if (first < 0 || first + count > all) throw new Error(`rows: expected some of ${all}, got ${first} to ${first + count}`);
    this.#allocation.references++;
    const address = new Address(pointer(this.dataId.offset + 4 * first * tf.util.sizeFromShape(rest)));
    return new HeapBuffer(this.#allocation, [count, ...rest], this.dtype, address);
  }

  /** Moves the numbers to a block of tfjs's allocator. The buffer, which must share them with no other, is consumed. */
  moved(): Pointer {
    const { memory, bytes, references } = this.#allocation;
    if (references !== 1 || this.dataId !== this.#allocation || !memory.has(this.dataId.offset))
      throw new Error("heap: expected a buffer that shares its numbers with no other");
    const { context } = opened();
    // The arena's free segments may be the only room for the copy. The numbers' own segment may be free after it.
    memory.trim();
    const start = context.allocate(bytes);
    context.copy(this.dataId.offset, start, bytes);
    this.dispose();
    memory.trim();
    return start;
  }

  dispose(): void {
    this.#allocation.references--;
    if (this.#allocation.references === 0) this.#allocation.memory.free(this.#allocation.offset);
  }
}

export function dispose(...buffers: readonly HeapBuffer[]): void {
  for (const buffer of buffers) buffer.dispose();
}

/**
 * Runs `body` as a scope: its kernel calls are recorded (command-buffer.ts), and the buffers that it leaves are freed, also when
 * it throws. tfjs may read what the kernels write to tensors only after the scope.
 */
export function onHeap<T>(body: () => T): T {
  const { context, hasArena } = opened();
  const outer = scope;
  const own = hasArena ? new Arena(context.allocate, context.free) : new PlainMemory(context.allocate, context.free);
  scope = own;
  try {
    return context.commands.record(body);
  } finally {
    own.close();
    scope = outer;
  }
}

/** A buffer of arbitrary numbers, yet to be written. */
export function allocated(shape: number[], dtype: "float32" | "int32" = "float32"): HeapBuffer {
  if (scope === null) throw new Error("heap: expected a buffer to be made within onHeap");
  return new HeapBuffer(new Allocation(scope, 4 * tf.util.sizeFromShape(shape)), shape, dtype);
}

/** -> [N], the given numbers */
export function arrayOf(values: Float32Array | Int32Array): HeapBuffer {
  const buffer = allocated([values.length], values instanceof Int32Array ? "int32" : "float32");
  opened().context.write(buffer.dataId.offset, values);
  return buffer;
}

/** The first number. */
export function numberOf(buffer: HeapBuffer): number {
  return opened().context.floats(buffer)[0]!;
}

/** The buffer as a tensor, which tfjs frees. The buffer, which must share its numbers with no other, is consumed. */
export function tensorOf(buffer: HeapBuffer): tf.Tensor {
  const { shape, dtype } = buffer;
  return tf.engine().makeTensorFromTensorInfo(opened().context.backend.makeOutput(shape, dtype, buffer.moved()));
}

/** Runs a registered kernel without tfjs's engine. Its outputs are buffers, or `into` where that is given. */
export function run<Output = void>(
  kernelName: string,
  inputs: Readonly<Record<string, tf.TensorInfo>>,
  attrs: object = {},
  into?: HeapBuffer,
): Output {
  const kernel = opened().registered.get(kernelName);
  if (kernel === undefined) throw new Error(`${kernelName}: expected a registered kernel, found none`);
  if (into === undefined) return kernel({ inputs, attrs, output: allocated }) as Output;
  const output = (shape: number[]) => {
    if (!tf.util.arraysEqual(shape, into.shape)) throw new Error(`${kernelName}: expected room for [${shape}], got [${into.shape}]`);
    return into;
  };
  return kernel({ inputs, attrs, output }) as Output;
}
