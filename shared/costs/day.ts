/** Days of the ledger and of budgets: calendar days, UTC. */

const DAY_MS = 24 * 3_600_000;

/** The days whose usage is kept. */
const KEPT_DAYS = 92;

/** 2026-12-01 */
export const dayOf = (time: number): string => new Date(time).toISOString().slice(0, 10);

/** The first day whose usage is kept. */
export const firstKeptDay = (now: number): string => dayOf(now - KEPT_DAYS * DAY_MS);

/** When the day of a time ends, in milliseconds since 1970. */
export const endOfDay = (time: number): number => (Math.floor(time / DAY_MS) + 1) * DAY_MS;
