/**
 * Arrays in tfjs's wasm memory that tfjs does not know. What its engine and backend do for each tensor (two weak maps, a
 * record in wasm, scopes, counts, and the garbage of it) costs a training step of 76 ms one; a pass that frees by hand
 * needs none of it. Kernels take such arrays and tensors alike.
 */
import * as tf from "@tensorflow/tfjs-core";
import { Arena } from "./arena.ts";
import type { Kernel, KernelContext } from "./kernel-context.ts";

/** Where an array lies, in bytes: what it has in place of tfjs's id. */
export class Place {
  readonly offset: number;
  constructor(offset: number) {
    this.offset = offset;
  }
}

/** Memory of an arena and how many arrays share it. */
class Block extends Place {
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
export class HeapArray implements tf.TensorInfo {
  readonly shape: number[];
  readonly dtype: "float32" | "int32";
  readonly dataId: Place;
  readonly #block: Block;

  constructor(block: Block, shape: number[], dtype: "float32" | "int32", place: Place = block) {
    this.#block = block;
    this.shape = shape;
    this.dtype = dtype;
    this.dataId = place;
  }

  /** The same numbers in another shape. */
  view(shape: number[]): HeapArray {
    this.#block.references++;
    return new HeapArray(this.#block, shape, this.dtype, this.dataId);
  }

  /** The same in another shape, in place of this array. */
  shaped(shape: number[]): HeapArray {
    return new HeapArray(this.#block, shape, this.dtype, this.dataId);
  }

  /** `count` of the first axis from `first` on, the same numbers. */
  rows(first: number, count: number): HeapArray {
    const [all, ...rest] = this.shape as [number, ...number[]];
    if (first < 0 || first + count > all) throw new Error(`rows: expected some of ${all}, got ${first} to ${first + count}`);
    this.#block.references++;
    const place = new Place(this.dataId.offset + 4 * first * tf.util.sizeFromShape(rest));
    return new HeapArray(this.#block, [count, ...rest], this.dtype, place);
  }

  /** The numbers as a block of its own of tfjs's allocator; the array, which must share them with no other, is gone. */
  moved(): number {
    const { arena: owner, bytes, references } = this.#block;
    if (references !== 1 || this.dataId !== this.#block || !owner.has(this.dataId.offset))
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
    this.#block.references--;
    if (this.#block.references === 0) this.#block.arena.free(this.#block.offset);
  }
}

export function dispose(...arrays: readonly HeapArray[]): void {
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
    return context.calls.hold(body);
  } finally {
    own.close();
    arena = outer;
  }
}

/** Numbers that are yet to be written. */
export function allocated(shape: number[], dtype: "float32" | "int32" = "float32"): HeapArray {
  if (arena === null) throw new Error("heap: expected an array to be made within onHeap");
  return new HeapArray(new Block(arena, 4 * tf.util.sizeFromShape(shape)), shape, dtype);
}

/** [N] of the given numbers */
export function arrayOf(values: Float32Array | Int32Array): HeapArray {
  const array = allocated([values.length], values instanceof Int32Array ? "int32" : "float32");
  opened().context.write(array.dataId.offset, values);
  return array;
}

/** The first number. */
export function numberOf(array: HeapArray): number {
  return opened().context.floats(array)[0]!;
}

/** The array as a tensor that tfjs frees; it must share its numbers with no other, and is gone. */
export function tensorOf(array: HeapArray): tf.Tensor {
  const { shape, dtype } = array;
  return tf.engine().makeTensorFromTensorInfo(opened().context.backend.makeOutput(shape, dtype, array.moved()));
}

/** Runs a registered kernel outside of tfjs's engine; its outputs are arrays, or `into` where it is given. */
export function run<Output = void>(
  kernelName: string,
  inputs: Readonly<Record<string, tf.TensorInfo>>,
  attrs: object = {},
  into?: HeapArray,
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
