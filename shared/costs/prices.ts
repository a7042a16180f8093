/**
 * Cloudflare's published prices for the paid plan of Workers, in US cents, and the usage that the plan includes per month. No
 * other file has prices. Data that are sent to the internet are free.
 */

/** The day on which the price pages were read. */
export const PRICES_DATE = "2026-12-01";

/** The monthly price of the plan. developers.cloudflare.com/workers/platform/pricing/ */
export const PLAN_CENTS = 500;

export interface Price {
  cents: number;
  /** The number of units that cost `cents`. */
  per: number;
  /** The number of units that the plan includes per month. */
  included: number;
}

const MILLION = 1e6;
const BILLION = 1e9;

export const PRICES = {
  // developers.cloudflare.com/workers/platform/pricing/#workers; invocations by queues, cron and Workflows count as requests.
  requests: { cents: 30, per: MILLION, included: 10 * MILLION },
  cpuMilliseconds: { cents: 2, per: MILLION, included: 30 * MILLION },
  // developers.cloudflare.com/durable-objects/platform/pricing/; a call and an alarm are a request each.
  objectRequests: { cents: 15, per: MILLION, included: MILLION },
  objectGbSeconds: { cents: 1250, per: MILLION, included: 400_000 },
  sqlRowsRead: { cents: 0.1, per: MILLION, included: 25 * BILLION },
  sqlRowsWritten: { cents: 100, per: MILLION, included: 50 * MILLION },
  sqlGbMonths: { cents: 20, per: 1, included: 5 },
  // developers.cloudflare.com/r2/pricing/; class A writes and lists, class B reads, deletions are free.
  r2ClassA: { cents: 450, per: MILLION, included: MILLION },
  r2ClassB: { cents: 36, per: MILLION, included: 10 * MILLION },
  r2GbMonths: { cents: 1.5, per: 1, included: 10 },
  // developers.cloudflare.com/d1/platform/pricing/
  d1RowsRead: { cents: 0.1, per: MILLION, included: 25 * BILLION },
  d1RowsWritten: { cents: 100, per: MILLION, included: 50 * MILLION },
  d1GbMonths: { cents: 75, per: 1, included: 5 },
  // developers.cloudflare.com/queues/platform/pricing/; a message of up to 64 KB is written, read and deleted.
  queueOperations: { cents: 40, per: MILLION, included: MILLION },
  // developers.cloudflare.com/workflows/reference/pricing/; its requests and CPU time are those of Workers.
  workflowGbMonths: { cents: 20, per: 1, included: 1 },
  // developers.cloudflare.com/observability/pricing/: Workers Logs by size, from 2026-12-01. Until then they cost 60 cents per million
  // events beyond 20 million.
  logGb: { cents: 25, per: 1, included: 50 },
  logGbMonths: { cents: 10, per: 1, included: 12 },
  // developers.cloudflare.com/analytics/analytics-engine/pricing/
  dataPoints: { cents: 25, per: MILLION, included: 10 * MILLION },
} as const satisfies Readonly<Record<string, Price>>;

export type Unit = keyof typeof PRICES;

/** Operations that deliver one queue message. developers.cloudflare.com/queues/platform/pricing/ */
export const OPERATIONS_PER_MESSAGE = 3;

/**
 * The memory for which an active object is billed, however little it uses.
 * developers.cloudflare.com/durable-objects/platform/pricing/
 */
export const OBJECT_GB = 0.128;
