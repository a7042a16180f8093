/**
 * The engine's optimisations, each with a switch: tests turn one off and expect the same numbers. README.md says why each is
 * there. Nothing but tests and benches passes anything else than ALL.
 */
export interface Optimisations {
  /** Kernel calls within a scope are recorded and made in one go (command-buffer.ts). Off: each call is immediate. Same bits. */
  commandBuffer: boolean;
  /** Buffers of a scope share an arena (arena.ts). Off: each comes from tfjs's allocator. Same bits. */
  arena: boolean;
  /** Large products take Strassen's algorithm (kernels/gemm/strassen.ts). Off: blocked products, which round differently. */
  strassen: boolean;
}

export const ALL: Optimisations = { commandBuffer: true, arena: true, strassen: true };
