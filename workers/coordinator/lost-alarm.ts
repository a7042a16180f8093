/**
 * Restores alarms that will never ring. If an object cannot start for about two minutes, the platform gives its alarm up after
 * six failed retries and leaves the alarm's time in the past (developers.cloudflare.com/durable-objects/api/alarms/).
 */
import { log } from "../../shared/log.ts";

/** An alarm that is later than this counts as given up. The platform's retries end within about two minutes. */
const MAX_LATE_MS = 150_000;

/** True if no alarm is set or the platform has given it up. */
export function isAlarmLost(alarm: number | null, now: number): boolean {
  return alarm === null || now - alarm > MAX_LATE_MS;
}

/**
 * Sets a lost alarm again. An alarm that is only due is left alone, because setting it would cancel its delivery: an object
 * that restarts for each delivery would never get the alarm. Never throws, because an error here would keep the object from
 * starting.
 */
export async function restoreAlarm(storage: DurableObjectStorage, delayMs: number): Promise<void> {
  try {
    const now = Date.now();
    if (isAlarmLost(await storage.getAlarm(), now)) await storage.setAlarm(now + delayMs);
  } catch (error) {
    log("error", `alarm not restored: ${(error as Error).message}`);
  }
}
