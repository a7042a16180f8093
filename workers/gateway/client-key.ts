/**
 * The key of a request to an answering route. While no key exists, any token is accepted, because clients of OpenAI's protocol
 * always send one. Whether keys exist is known for a few seconds, so the first key takes effect that late. While the ledger is down,
 * the last knowledge counts, and an unknown state counts as without keys: answers do not depend on the ledger.
 */
import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import type { KeyUse } from "../../shared/contracts/keys.ts";
import { namedError } from "../../shared/errors.ts";
import { inTime } from "../../shared/in-time.ts";
import { createCachedLook } from "./cached-look.ts";
import { bearerOf } from "./client.ts";
import type { GatewayContext } from "./door.ts";

const FRESH_MS = 2000;
const TIMEOUT_MS = 3000;
const UNCHECKED = "keys are not checked";

const hasKeys = createCachedLook<boolean>({ freshMs: FRESH_MS, patienceMs: TIMEOUT_MS, now: Date.now, wait: (ms) => scheduler.wait(ms) });

/**
 * Checks and counts the request's key. Returns false if no key is needed. Throws 401 for a missing or unknown key, and OverBudget for
 * a spent quota.
 */
export async function useKey(c: Context<GatewayContext>): Promise<boolean> {
  if ((await hasKeys(() => inTime(UNCHECKED, c.env.COORDINATOR.hasKeys(), TIMEOUT_MS))) !== true) return false;
  const use = await inTime<KeyUse>(UNCHECKED, c.env.COORDINATOR.useKey(bearerOf(c)), TIMEOUT_MS, { request: c.var.requestId });
  if (use === null || use.kind === "open") return false;
  if (use.kind === "unknown") {
    c.header("www-authenticate", "Bearer");
    throw new HTTPException(401, { message: "expected Authorization: Bearer with a key that the operator has made" });
  }
  if (use.kind === "spent") throw namedError("OverBudget", `the key's quota of ${use.quota} is spent: try again after midnight UTC`);
  c.set("key", use.id);
  return true;
}

/** Adds tokens to the day of the request's key, if it has one. Never throws. */
export function spendTokens(c: Context<GatewayContext>, tokens: number): void {
  const { key } = c.var;
  if (key === undefined || tokens === 0) return;
  c.executionCtx.waitUntil(
    inTime("tokens of a key are not counted", c.env.COORDINATOR.spendKey(key, tokens), TIMEOUT_MS, { request: c.var.requestId }),
  );
}
