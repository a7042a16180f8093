/** Calls of other Workers that may fail or be slow without failing the request. */
import { log } from "./log.ts";

/** The result of a call, or null if the call fails or takes longer than `ms`. Then the reason is logged after `what`. */
export async function inTime<T>(what: string, call: Promise<T>, ms: number, ids: { request?: string } = {}): Promise<T | null> {
  const late = scheduler.wait(ms).then(() => {
    throw new Error(`expected an answer within ${ms / 1000} s, got none`);
  });
  try {
    return await Promise.race([call, late]);
  } catch (error) {
    log("error", `${what}: ${(error as Error).message}`, ids);
    return null;
  }
}
