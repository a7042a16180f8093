/** What runs and answers have cost, in US cents, as if the month's included usage were used up: an upper bound. */
import { z } from "zod";
import { usageSchema } from "../costs/usage.ts";

const cost = { cents: z.number(), usage: usageSchema };

/** Null for no limit. */
const budget = z.object({ limit: z.number().nullable(), spent: z.number() });

export const costsSchema = z.object({
  /** The date of Cloudflare's price lists. */
  pricesOf: z.string(),
  /** Today's. Tokens that generators have taken and not used yet count as spent. */
  budgets: z.object({ answerTokens: budget, trainingCents: budget, resetsAt: z.string() }),
  runs: z.array(z.object({ run: z.string(), ...cost })),
  /** By day, UTC. */
  answers: z.array(z.object({ day: z.string(), answers: z.int(), tokens: z.int(), ...cost })),
});
export type Costs = z.output<typeof costsSchema>;
