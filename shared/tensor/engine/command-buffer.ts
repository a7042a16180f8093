/**
 * Calls of kernels that wait for each other. Each kernel moves megabytes through the caches, so that JavaScript finds none of
 * its code and data there when it makes the next call: 200 of them cost a training step 1.3 ms one by one. On the heap
 * (heap-array.ts) they are written down and made in one go, before anything reads what they write.
 *
 * Memory is freed and handed out again meanwhile, which changes nothing: whoever gets it writes to it with a later call.
 */
import type { KernelExports } from "./kernel-context.ts";

type Kernel = (...values: number[]) => number;

/** What answers at once: sizes, and what looks at ids and labels alone, which no kernel writes. */
const QUERIES: ReadonlySet<string> = new Set<keyof KernelExports>([
  "attentionBackwardBytes",
  "attentionBytes",
  "firstOutside",
  "liveLabels",
  "matMulBytes",
  "muonBytes",
  "normedAttentionBackwardBytes",
  "normedAttentionBytes",
  "projectBytes",
  "stripBytes",
  "stripStart",
  "weightGradientsBytes",
]);
/** What answers with something that kernels wrote. */
const ANSWERS: ReadonlySet<string> = new Set<keyof KernelExports>(["peak", "sumOfSquares"]);

export interface CommandBuffer {
  /** The kernels; those without an answer wait inside of `record`. */
  kernels: KernelExports;
  /** Makes all calls that wait. */
  flush(): void;
  /** Runs `body`, in which calls wait; they are made when it ends, or never when it throws. */
  record<T>(body: () => T): T;
  /** Runs `body` after the calls that wait; its own do not. */
  immediately<T>(body: () => T): T;
}

export function createCommandBuffer(exports: KernelExports): CommandBuffer {
  let waiting: { kernel: Kernel; values: number[] }[] = [];
  let isHolding = false;

  function flush(): void {
    if (waiting.length === 0) return;
    const calls = waiting;
    waiting = [];
    for (const { kernel, values } of calls) kernel(...values);
  }

  function within<T>(holding: boolean, body: () => T): T {
    const outer = isHolding;
    isHolding = holding;
    try {
      return body();
    } finally {
      isHolding = outer;
    }
  }

  const wrapped = (name: string, kernel: Kernel): Kernel => {
    if (QUERIES.has(name)) return kernel;
    const isAnswer = ANSWERS.has(name);
    return (...values) => {
      if (!isHolding || isAnswer) {
        flush();
        return kernel(...values);
      }
      waiting.push({ kernel, values });
      // Whoever takes it for an answer shall see it.
      return Number.NaN;
    };
  };

  return {
    kernels: Object.fromEntries(Object.entries(exports).map(([name, kernel]) => [name, wrapped(name, kernel)])) as KernelExports,
    flush,
    record(body) {
      const [outer, before] = [waiting, waiting.length];
      try {
        const result = within(true, body);
        flush();
        return result;
      } catch (error) {
        // After a flush all that wait are of this scope.
        waiting.length = waiting === outer ? before : 0;
        throw error;
      }
    },
    immediately(body) {
      flush();
      return within(false, body);
    },
  };
}
