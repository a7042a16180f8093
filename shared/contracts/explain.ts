/** The intermediate results of the model while it reads a text: probabilities, attention, and the prediction after each layer. */
import { z } from "zod";
import { hashSchema } from "../artifacts.ts";
import { contextSchema } from "../lessons/context.ts";

export const explainRequestSchema = z.strictObject({
  text: z.string().min(1).max(4000),
  context: contextSchema.optional(),
  /** An answer to add after the question. The probabilities of its tokens are then shown too. */
  answer: z.string().max(1000).optional(),
  /** "question": the text as POST /generate reads it. "text": the bare text, without context and answer. */
  form: z.enum(["question", "text"]).default("question"),
  /** The position whose attention and layers are shown; the last position if it is missing. "all": the attention of all positions. */
  position: z.union([z.int().min(0), z.literal("all")]).optional(),
  /** The number of most probable tokens listed at each position and after each layer. */
  alternatives: z.int().min(0).max(10).default(3),
});
export type ExplainRequest = z.output<typeof explainRequestSchema>;

const predictedSchema = z.object({ id: z.int(), text: z.string(), probability: z.number() });
export type Predicted = z.output<typeof predictedSchema>;

export const explanationSchema = z.object({
  model: hashSchema,
  /** The text that the model has read, control tokens by their names. Bytes that are no UTF-8 are shown as U+FFFD. */
  read: z.string(),
  tokens: z.array(
    z.object({
      id: z.int(),
      text: z.string(),
      /** The token's bytes in the UTF-8 form of what the model has read: from `start`, before `end`. */
      start: z.int(),
      end: z.int(),
      isControl: z.boolean(),
      /** The probability that the model gave this token; null for the first token. */
      probability: z.number().nullable(),
      /** The most probable tokens at this place, most probable first. */
      alternatives: z.array(predictedSchema),
    }),
  ),
  /** The most probable tokens after the last one. */
  next: z.array(predictedSchema),
  /** For each shown position: `weights[layer][head][key]`, rounded to four decimals. The weights of a head sum to 1. */
  attention: z.array(z.object({ position: z.int(), weights: z.array(z.array(z.array(z.number()))) })),
  /** The prediction at the shown position after each layer, as if that layer were the last one ("logit lens"). */
  layers: z.array(z.array(predictedSchema)),
});
export type Explanation = z.output<typeof explanationSchema>;
