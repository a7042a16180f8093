/**
 * Alarms that will never ring. The platform gives an alarm up after six failed retries, about two minutes of an object that
 * cannot start, and then leaves its time in the past (developers.cloudflare.com/durable-objects/api/alarms/).
 */

/** How late an alarm may be before it counts as given up. Its retries end within about two minutes. */
const MAX_LATE_MS = 150_000;

/** True if no alarm is set or the platform has given it up. */
export function isAlarmLost(alarm: number | null, now: number): boolean {
  return alarm === null || now - alarm > MAX_LATE_MS;
}

/**
 * Sets a lost alarm again. An alarm that is merely due stays as it is: setting it would cancel its delivery, and an object
 * that starts anew for each delivery would never get one. Never throws, because it must not keep an object from starting.
 */
export async function restoreAlarm(storage: DurableObjectStorage, delayMs: number): Promise<void> {
  try {
    const now = Date.now();
    if (isAlarmLost(await storage.getAlarm(), now)) await storage.setAlarm(now + delayMs);
  } catch (error) {
    // oxlint-disable-next-line no-console -- `wrangler tail` shows it; the coordinator's cron sets the alarm later
    console.error(`alarm not restored: ${(error as Error).message}`);
  }
}
