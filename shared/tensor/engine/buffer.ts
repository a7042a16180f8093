/**
 * Arrays in tfjs's wasm memory that tfjs does not know. What its engine and backend do for each tensor (two weak maps, a
 * record in wasm, scopes, counts, and the garbage of it) costs a training step of 76 ms one; a pass that frees by hand
 * needs none of it. Kernels take such arrays and tensors alike.
 */
import * as tf from "@tensorflow/tfjs-core";
import { Arena } from "./arena.ts";
import type { Kernel, KernelContext } from "./kernel-context.ts";

/** Where an array lies, in bytes: what it has in place of tfjs's id. */
export class Address {
  readonly offset: number;
  constructor(offset: number) {
    this.offset = offset;
  }
}

/** Memory of an arena and how many arrays share it. */
class Allocation extends Address {
  references = 1;
  readonly arena: Arena;
  readonly bytes: number;
  constructor(arena: Arena, bytes: number) {
    super(arena.allocate(bytes));
    this.arena = arena;
    this.bytes = bytes;
  }
}

interface Heap {
  context: KernelContext;
  registered: ReadonlyMap<string, Kernel>;
}

let heap: Heap | null = null;
/** That of the innermost scope. */
let arena: Arena | null = null;

/** Arrays are allocated, and kernels found, there from now on. */
export function useHeap(context: KernelContext, registered: ReadonlyMap<string, Kernel>): void {
  heap = { context, registered };
}

function opened(): Heap {
  if (heap === null) throw new Error("heap: expected the kernels to be registered, they are not; call startBackend first");
  return heap;
}

/** Numbers, row-major; freed with the last array of their block. */
export class HeapBuffer implements tf.TensorInfo {
  readonly shape: number[];
  readonly dtype: "float32" | "int32";
  readonly dataId: Address;
  readonly #allocation: Allocation;

  constructor(block: Allocation, shape: number[], dtype: "float32" | "int32", place: Address = block) {
    this.#allocation = block;
    this.shape = shape;
    this.dtype = dtype;
    this.dataId = place;
  }

  /** The same numbers in another shape. */
  view(shape: number[]): HeapBuffer {
    this.#allocation.references++;
    return new HeapBuffer(this.#allocation, shape, this.dtype, this.dataId);
  }

  /** The same in another shape, in place of this array. */
  shaped(shape: number[]): HeapBuffer {
    return new HeapBuffer(this.#allocation, shape, this.dtype, this.dataId);
  }

  /** `count` of the first axis from `first` on, the same numbers. */
  rows(first: number, count: number): HeapBuffer {
    const [all, ...rest] = this.shape as [number, ...number[]];
    if (first < 0 || first + count > all) throw new Error(`rows: expected some of ${all}, got ${first} to ${first + count}`);
    this.#allocation.references++;
    const place = new Address(this.dataId.offset + 4 * first * tf.util.sizeFromShape(rest));
    return new HeapBuffer(this.#allocation, [count, ...rest], this.dtype, place);
  }

  /** The numbers as a block of its own of tfjs's allocator; the array, which must share them with no other, is gone. */
  moved(): number {
    const { arena: owner, bytes, references } = this.#allocation;
    if (references !== 1 || this.dataId !== this.#allocation || !owner.has(this.dataId.offset))
      throw new Error("heap: expected an array that shares its numbers with no other");
    const { context } = opened();
    // What the arena has free may be all the room that there is for the copy, and the room of the copied is free after it.
    owner.trim();
    const start = context.allocate(bytes);
    context.copy(this.dataId.offset, start, bytes);
    this.dispose();
    owner.trim();
    return start;
  }

  dispose(): void {
    this.#allocation.references--;
    if (this.#allocation.references === 0) this.#allocation.arena.free(this.#allocation.offset);
  }
}

export function dispose(...arrays: readonly HeapBuffer[]): void {
  for (const array of arrays) array.dispose();
}

/**
 * Runs `body`, whose kernels wait (waiting-calls.ts); what it leaves is freed, also when it throws. A tensor that they write
 * to is for tfjs to read after it.
 */
export function onHeap<T>(body: () => T): T {
  const { context } = opened();
  const outer = arena;
  const own = new Arena(context.allocate, context.free);
  arena = own;
  try {
    return context.commands.record(body);
  } finally {
    own.close();
    arena = outer;
  }
}

/** Numbers that are yet to be written. */
export function allocated(shape: number[], dtype: "float32" | "int32" = "float32"): HeapBuffer {
  if (arena === null) throw new Error("heap: expected an array to be made within onHeap");
  return new HeapBuffer(new Allocation(arena, 4 * tf.util.sizeFromShape(shape)), shape, dtype);
}

/** [N] of the given numbers */
export function arrayOf(values: Float32Array | Int32Array): HeapBuffer {
  const array = allocated([values.length], values instanceof Int32Array ? "int32" : "float32");
  opened().context.write(array.dataId.offset, values);
  return array;
}

/** The first number. */
export function numberOf(array: HeapBuffer): number {
  return opened().context.floats(array)[0]!;
}

/** The array as a tensor that tfjs frees; it must share its numbers with no other, and is gone. */
export function tensorOf(array: HeapBuffer): tf.Tensor {
  const { shape, dtype } = array;
  return tf.engine().makeTensorFromTensorInfo(opened().context.backend.makeOutput(shape, dtype, array.moved()));
}

/** Runs a registered kernel outside of tfjs's engine; its outputs are arrays, or `into` where it is given. */
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
