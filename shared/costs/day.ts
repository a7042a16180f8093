/** Days of the ledger and of budgets: calendar days, UTC. */

export const DAY_MS = 24 * 3_600_000;

/** 2026-12-01 */
export const dayOf = (time: number): string => new Date(time).toISOString().slice(0, 10);

/** When the day of a time ends, in milliseconds since 1970. */
export const endOfDay = (time: number): number => (Math.floor(time / DAY_MS) + 1) * DAY_MS;
