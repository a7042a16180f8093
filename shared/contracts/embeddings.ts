/** Texts as vectors. */

/** Inputs of one request, and their tokens in all, which the model reads one input after the other. */
export const MAX_EMBEDDED_INPUTS = 256;
export const MAX_EMBEDDED_TOKENS = 8192;

export type EmbeddingInput = string | number[];

export interface Embeddings {
  model: string;
  /** One vector [C] of length 1 per input, C being the width of the model. */
  vectors: Float32Array[];
  tokens: number;
}
