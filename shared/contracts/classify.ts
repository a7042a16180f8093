/** Classification: the labels of a text in its context, by the active classifier. */
import { z } from "zod";
import { hashSchema } from "../artifacts.ts";
import { MAX_LABELLED_TEXT } from "../lessons/labelled.ts";
import { contextSchema } from "../lessons/context.ts";

export const classifyRequestSchema = z.strictObject({
  text: z.string().trim().min(1).max(MAX_LABELLED_TEXT),
  context: contextSchema.optional(),
  /** True to get the features and the values of all units too. */
  activations: z.boolean().default(false),
});
export type ClassifyRequest = z.output<typeof classifyRequestSchema>;

export const classificationSchema = z.object({
  /** Most probable first. The probabilities sum to 1. */
  labels: z.array(z.object({ label: z.string(), probability: z.number() })),
  model: hashSchema,
  /** Only on request. */
  activations: z
    .object({
      /** The features of the text and its context, with the input of the network that each one activates. */
      features: z.array(z.object({ name: z.string(), input: z.int() })),
      activation: z.enum(["sigmoid", "relu"]),
      /** The values of the units of each hidden layer, from the first to the last. */
      hidden: z.array(z.array(z.number())),
      /** The output of the last layer for each label, in the order of `labels`. The softmax of these numbers is `probability`. */
      logits: z.array(z.number()),
    })
    .optional(),
});
export type Classification = z.output<typeof classificationSchema>;
