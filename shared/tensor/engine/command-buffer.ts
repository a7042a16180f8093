/**
 * Records kernel calls and executes them together. A kernel moves megabytes through the caches and evicts JavaScript's code and
 * data. Each single call must then load them again: 200 single calls cost a training step 1.3 ms. Within a scope (buffer.ts),
 * calls are recorded and executed in one loop, before any result is read.
 *
 * Freed memory may be reused before the recorded calls have run. This is safe, because the new owner also writes with a later
 * command.
 */
import { KERNEL_KINDS, type KernelExports, type KernelKind } from "./kernel-exports.ts";

type AnyKernel = (...values: number[]) => number | void;

export interface CommandBuffer {
  /** The kernels. Within `record`, commands are deferred, answers flush first, and queries run at once (kernel-exports.ts). */
  kernels: KernelExports;
  /** Executes all recorded calls. */
  flush(): void;
  /** Runs `body` and defers its commands. Executes them when `body` returns; drops them when `body` throws. */
  record<T>(body: () => T): T;
  /** Flushes, then runs `body` without deferring commands. */
  immediately<T>(body: () => T): T;
}

/** Creates a command buffer. With `canDefer` false, no command is deferred. */
export function createCommandBuffer(exports: KernelExports, canDefer = true): CommandBuffer {
  let recorded: { kernel: AnyKernel; values: number[] }[] = [];
  let isRecording = false;

  function flush(): void {
    if (recorded.length === 0) return;
    const calls = recorded;
    recorded = [];
    for (const { kernel, values } of calls) kernel(...values);
  }

  function within<T>(recording: boolean, body: () => T): T {
    const outer = isRecording;
    isRecording = recording;
    try {
      return body();
    } finally {
      isRecording = outer;
    }
  }

  const wrapped = (kernel: AnyKernel, kind: KernelKind): AnyKernel => {
    switch (kind) {
      case "query":
        return kernel;
      case "answer":
        return (...values) => {
          flush();
          return kernel(...values);
        };
      case "command":
        return (...values) => {
          if (isRecording) {
            recorded.push({ kernel, values });
            return;
          }
          flush();
          kernel(...values);
        };
      default:
        return kind satisfies never;
    }
  };

  return {
    kernels: Object.fromEntries(
      Object.entries(KERNEL_KINDS).map(([name, kind]) => [name, wrapped(exports[name as keyof KernelExports] as AnyKernel, kind)]),
    ) as unknown as KernelExports,
    flush,
    record(body) {
      const [outer, before] = [recorded, recorded.length];
      try {
        const result = within(canDefer, body);
        flush();
        return result;
      } catch (error) {
        // If a flush has replaced the list, all its calls belong to this scope.
        recorded.length = recorded === outer ? before : 0;
        throw error;
      }
    },
    immediately(body) {
      flush();
      return within(false, body);
    },
  };
}
