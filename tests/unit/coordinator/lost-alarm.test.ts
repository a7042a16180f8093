/** When a starting object must set its alarm again, and when it must not. */
import { describe, expect, it } from "vitest";
import { isAlarmLost } from "../../../workers/coordinator/lost-alarm.ts";

const NOW = 1_800_000_000_000;

describe("an alarm", () => {
  it.each([
    ["that is not set is lost", null, true],
    ["of the future is kept", NOW + 15_000, false],
    // Setting the alarm again would cancel its delivery, and the object may be starting for this delivery.
    ["that is due is kept", NOW, false],
    // The platform retries after 2, 4, 8, 16, 32 and 64 seconds.
    ["in its last retry is kept", NOW - 127_000, false],
    ["after its last retry is lost", NOW - 151_000, true],
  ])("%s", (_, alarm, isLost) => {
    expect(isAlarmLost(alarm, NOW)).toBe(isLost);
  });
});
