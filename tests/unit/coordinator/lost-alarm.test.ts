/** When an object that starts sets its alarm again, and when it must not. */
import { describe, expect, it } from "vitest";
import { isAlarmLost } from "../../../workers/coordinator/lost-alarm.ts";

const NOW = 1_800_000_000_000;

describe("an alarm", () => {
  it.each([
    ["that is not set is lost", null, true],
    ["of the future is kept", NOW + 15_000, false],
    // Setting it again would cancel its delivery, for which the object may just be starting.
    ["that is due is kept", NOW, false],
    // The platform tries again after 2, 4, 8, 16, 32 and 64 seconds.
    ["in its last retry is kept", NOW - 127_000, false],
    ["after its last retry is lost", NOW - 151_000, true],
  ])("%s", (_, alarm, isLost) => {
    expect(isAlarmLost(alarm, NOW)).toBe(isLost);
  });
});
