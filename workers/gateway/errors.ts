/** Maps the names of errors that cross RPC to HTTP statuses. The door gives the error its form. */
import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { endOfDay } from "../../shared/costs/day.ts";
import { log, stackOf } from "../../shared/log.ts";
import { refuse, type GatewayContext } from "./door.ts";

const STATUS_OF: Readonly<Record<string, ContentfulStatusCode>> = {
  NotFound: 404,
  InvalidInput: 422,
  Conflict: 409,
  Busy: 429,
  OverBudget: 429,
  NoModel: 503,
  Unavailable: 503,
};
/**
 * Seconds after which a client should try again. A generation of another client ends in about a second; a new daily budget begins
 * at midnight UTC.
 */
const retryAfter = (name: string, now: number) => (name === "OverBudget" ? Math.ceil((endOfDay(now) - now) / 1000) : 1);

export function onError(error: Error, c: Context<GatewayContext>): Response {
  if (error instanceof HTTPException) return refuse(c, error.status, error.message);
  const status = STATUS_OF[error.name];
  if (status === undefined) {
    log("error", error.message, { request: c.var.requestId, ...stackOf(error) });
    return refuse(c, 500, "internal error");
  }
  if (status === 429) c.header("retry-after", String(retryAfter(error.name, Date.now())));
  return refuse(c, status, error.message);
}
