/** OpenAI's embeddings: the request, and the vectors as numbers or as base64 of little-endian float32. */
import { z } from "zod";
import { MAX_EMBEDDED_INPUTS, type EmbeddingInput, type Embeddings } from "../../../shared/contracts/embeddings.ts";
import { MODEL_NAME } from "../model-name.ts";

const text = z.string().min(1);
const ids = z.array(z.int().min(0).max(65_535)).min(1);
const expected = `expected a text, a list of token ids, or 1..${MAX_EMBEDDED_INPUTS} of them, none of them empty`;
const single = z.union([text, ids]).transform((input): EmbeddingInput[] => [input]);
const several = z.union([z.array(text), z.array(ids)]).refine((inputs) => inputs.length >= 1 && inputs.length <= MAX_EMBEDDED_INPUTS, {
  error: expected,
});

export const embeddingsRequestSchema = z.object({
  model: z.string().max(256),
  input: z.union([single, several], { error: expected }),
  encoding_format: z.enum(["float", "base64"]).nullish(),
  /** The only number that is possible is the model's width. */
  dimensions: z.int().positive().nullish(),
});
export type EmbeddingsRequest = z.output<typeof embeddingsRequestSchema>;

function base64(vector: Float32Array): string {
  const bytes = new DataView(new ArrayBuffer(vector.length * 4));
  for (const [index, value] of vector.entries()) bytes.setFloat32(index * 4, value, true);
  return btoa(String.fromCharCode(...new Uint8Array(bytes.buffer)));
}

export function embeddingsAnswer({ vectors, tokens }: Embeddings, format: EmbeddingsRequest["encoding_format"]): object {
  return {
    data: vectors.map((vector, index) => ({
      object: "embedding",
      index,
      embedding: format === "base64" ? base64(vector) : [...vector],
    })),
    model: MODEL_NAME,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
}
