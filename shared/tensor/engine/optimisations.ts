/**
 * Switches of the engine's optimisations. Tests switch an optimisation off and expect the same numbers. README.md explains each
 * optimisation. Only tests and benches use a value other than ALL.
 */
export interface Optimisations {
  /** On: kernel calls within a scope are recorded and executed together (command-buffer.ts). Off: each call runs at once. Same bits. */
  commandBuffer: boolean;
  /** On: the buffers of a scope share an arena (arena.ts). Off: tfjs's allocator provides each buffer. Same bits. */
  arena: boolean;
  /** On: large products use Strassen's algorithm (kernels/gemm/strassen.ts). Off: blocked products, with different rounding. */
  strassen: boolean;
}

export const ALL: Optimisations = { commandBuffer: true, arena: true, strassen: true };
