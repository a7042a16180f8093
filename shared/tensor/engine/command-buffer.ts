/**
 * Records kernel calls and makes them in one go. A kernel moves megabytes through the caches, so JavaScript finds none of its
 * own code and data there when it makes the next call: 200 single calls cost a training step 1.3 ms. Within a scope
 * (buffer.ts) calls are written down and made together, before anything reads what they write.
 *
 * Memory that is freed meanwhile may be handed out again: whoever gets it writes to it with a later command.
 */
import { KERNEL_KINDS, type KernelExports, type KernelKind } from "./kernel-exports.ts";

type AnyKernel = (...values: number[]) => number | void;

export interface CommandBuffer {
  /** The kernels. Within `record`, commands are deferred; answers flush first; queries run at once (kernel-exports.ts). */
  kernels: KernelExports;
  /** Makes all recorded calls. */
  flush(): void;
  /** Runs `body` with deferred commands. They are made when it returns, or never when it throws. */
  record<T>(body: () => T): T;
  /** Flushes, then runs `body` with immediate commands. */
  immediately<T>(body: () => T): T;
}

/** With `canDefer` false every command is immediate. */
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
        // After a flush everything recorded belongs to this scope.
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
