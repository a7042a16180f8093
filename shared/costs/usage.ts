/** An amount of usage, in the platform's priced units, and its cost. */
import { z } from "zod";
import { PLAN_CENTS, PRICES, type Price, type Unit } from "./prices.ts";

export const UNITS = Object.keys(PRICES) as Unit[];

export const usageSchema = z.partialRecord(z.enum(UNITS), z.number().nonnegative());
export type Usage = Partial<Record<Unit, number>>;

const priceOf = (unit: Unit): Price => PRICES[unit];
const amounts = (usage: Usage) => UNITS.flatMap((unit) => (usage[unit] === undefined ? [] : [[unit, usage[unit]] as const]));

/** Adds to a usage. */
export function addUsage(to: Usage, more: Usage): void {
  for (const [unit, amount] of amounts(more)) to[unit] = (to[unit] ?? 0) + amount;
}

/** A usage times a factor. */
export function timesUsage(usage: Usage, factor: number): Usage {
  return Object.fromEntries(amounts(usage).map(([unit, amount]) => [unit, amount * factor]));
}

/** The cents of a usage, without the units that the plan includes. This is an upper bound of its share of the bill. */
export function centsOfUsage(usage: Usage): number {
  return amounts(usage).reduce((sum, [unit, amount]) => sum + (amount / priceOf(unit).per) * priceOf(unit).cents, 0);
}

/** The bill of a month with this usage: the plan, and the units beyond those that the plan includes. */
export function centsOfMonth(usage: Usage): number {
  const beyond = amounts(usage).map(([unit, amount]) => [unit, Math.max(0, amount - priceOf(unit).included)] as const);
  return PLAN_CENTS + centsOfUsage(Object.fromEntries(beyond));
}
