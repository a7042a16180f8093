/** The costs of runs and answers in US cents. They are upper bounds: they ignore the usage that the plan includes in a month. */
import { z } from "zod";
import { usageSchema } from "../costs/usage.ts";

const cost = { cents: z.number(), usage: usageSchema };

/** Null for no limit. */
const budget = z.object({ limit: z.number().nullable(), spent: z.number() });

export const costsSchema = z.object({
  /** The date of Cloudflare's price lists. */
  pricesOf: z.string(),
  /** Today's budgets. Tokens that generators have taken but not used yet count as spent. */
  budgets: z.object({ answerTokens: budget, trainingCents: budget, resetsAt: z.string() }),
  runs: z.array(z.object({ run: z.string(), ...cost })),
  /** Answers by day (UTC). */
  answers: z.array(z.object({ day: z.string(), answers: z.int(), tokens: z.int(), ...cost })),
  /** By day, UTC: what belongs neither to a run nor to an answer. The gateway's part has all of its requests, those for answers too. */
  others: z.array(z.object({ worker: z.enum(["gateway", "collector"]), day: z.string(), ...cost })),
});
export type Costs = z.output<typeof costsSchema>;
