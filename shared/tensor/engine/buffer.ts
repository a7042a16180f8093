/**
 * Buffers: arrays in tfjs's wasm memory that tfjs does not manage. A tensor costs two weak maps, a record in wasm, scopes,
 * reference counts and garbage: 1 ms of a training step of 76 ms. A pass that frees its memory by hand does not need them.
 * Kernels accept both buffers and tensors.
 */
import * as tf from "@tensorflow/tfjs-core";
import { Arena, PlainMemory, type ScopeMemory } from "./arena.ts";
import type { Kernel, KernelContext } from "./kernel-context.ts";
import { pointer, type Pointer } from "./wasm-runtime.ts";

/** The address of a buffer. It replaces the id that tfjs gives to a tensor's data. */
export class Address {
  readonly offset: Pointer;
  constructor(offset: Pointer) {
    this.offset = offset;
  }
}

/** A block of a scope's memory with a reference count. */
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
  /** True if a scope allocates from an arena. */
  hasArena: boolean;
}

let heap: Heap | null = null;
/** The memory of the innermost scope; null outside `onHeap`. */
let scope: ScopeMemory | null = null;

/** Sets the heap that allocates buffers, and the kernels that `run` can call. */
export function useHeap(context: KernelContext, registered: ReadonlyMap<string, Kernel>, hasArena: boolean): void {
  heap = { context, registered, hasArena };
}

function opened(): Heap {
  if (heap === null) throw new Error("heap: expected registered kernels, found none; call startBackend first");
  return heap;
}

/** A row-major array. Its memory is freed with the last buffer that shares it. */
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

  /** Returns another buffer with another shape on the same memory. */
  view(shape: number[]): HeapBuffer {
    this.#allocation.references++;
    return new HeapBuffer(this.#allocation, shape, this.dtype, this.dataId);
  }

  /** Returns the buffer with another shape. Consumes this object. */
  shaped(shape: number[]): HeapBuffer {
    return new HeapBuffer(this.#allocation, shape, this.dtype, this.dataId);
  }

  /** Returns a buffer on the same memory: `count` rows of the first axis, beginning with row `first`. */
  rows(first: number, count: number): HeapBuffer {
    const [all, ...rest] = this.shape as [number, ...number[]];
    if (first < 0 || first + count > all) throw new Error(`rows: expected a range within 0 to ${all}, got ${first} to ${first + count}`);
    this.#allocation.references++;
    const address = new Address(pointer(this.dataId.offset + 4 * first * tf.util.sizeFromShape(rest)));
    return new HeapBuffer(this.#allocation, [count, ...rest], this.dtype, address);
  }

  /**
   * Moves the values to a block of tfjs's allocator and returns its address. Consumes the buffer. Throws if another buffer
   * shares the memory.
   */
  moved(): Pointer {
    const { memory, bytes, references } = this.#allocation;
    if (references !== 1 || this.dataId !== this.#allocation || !memory.has(this.dataId.offset))
      throw new Error("heap: expected a buffer that no other buffer shares memory with, got a shared buffer");
    const { context } = opened();
    // The first trim makes room for the copy. The second trim, after dispose, may return the segment of the old values.
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
 * Runs `body` in a new scope. The scope records kernel calls (command-buffer.ts) and frees its remaining buffers at the end,
 * even after an error. tfjs must not read tensors that kernels write until the scope has ended.
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

/** Allocates a buffer; its values are undefined. */
export function allocated(shape: number[], dtype: "float32" | "int32" = "float32"): HeapBuffer {
  if (scope === null) throw new Error("heap: expected a call within onHeap, got a call outside");
  return new HeapBuffer(new Allocation(scope, 4 * tf.util.sizeFromShape(shape)), shape, dtype);
}

/** Copies values to a new buffer [N]. */
export function arrayOf(values: Float32Array | Int32Array): HeapBuffer {
  const buffer = allocated([values.length], values instanceof Int32Array ? "int32" : "float32");
  opened().context.write(buffer.dataId.offset, values);
  return buffer;
}

/** Returns the first value of a buffer. Runs the recorded kernel calls first. */
export function numberOf(buffer: HeapBuffer): number {
  return opened().context.floats(buffer)[0]!;
}

/** Turns a buffer into a tensor, which tfjs then manages. Consumes the buffer. Throws if another buffer shares the memory. */
export function tensorOf(buffer: HeapBuffer): tf.Tensor {
  const { shape, dtype } = buffer;
  return tf.engine().makeTensorFromTensorInfo(opened().context.backend.makeOutput(shape, dtype, buffer.moved()));
}

/** Runs a registered kernel without tfjs's engine. The outputs are new buffers, or the buffer `into` if given. */
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
    if (!tf.util.arraysEqual(shape, into.shape))
      throw new Error(`${kernelName}: expected an output buffer [${shape}], got [${into.shape}]`);
    return into;
  };
  return kernel({ inputs, attrs, output }) as Output;
}
