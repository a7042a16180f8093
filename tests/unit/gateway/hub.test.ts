import { expect, test } from "vitest";
import { app } from "../../../workers/gateway/app.ts";
import { byteRange } from "../../../workers/gateway/hub/byte-range.ts";

test.each([
  [undefined, "whole"],
  ["bytes=0-", { start: 0, end: 100 }],
  ["bytes=10-19", { start: 10, end: 20 }],
  ["bytes=90-1000", { start: 90, end: 100 }],
  ["bytes=-5", { start: 95, end: 100 }],
  ["bytes=-500", { start: 0, end: 100 }],
  ["bytes=100-", "unsatisfiable"],
  ["bytes=-0", "unsatisfiable"],
  ["bytes=20-10", "whole"],
  ["bytes=0-1,5-6", "whole"],
  ["bytes=-", "whole"],
  ["items=0-1", "whole"],
  ["bytes=a-b", "whole"],
] as const)("of 100 bytes, %s asks for %j", (header, range) => expect(byteRange(header, 100)).toEqual(range));

/** A coordinator with one model, which has one file. */
const COORDINATOR = {
  listRepository: async () => ({
    name: "tiffin-0",
    commit: "c".repeat(40),
    publishedAt: "2026-12-01T00:00:00.000Z",
    licence: "unknown",
    files: [{ path: "config.json", size: 2, oid: "a" }],
  }),
};

test("everyone can read published models only if the setting allows it", async () => {
  for (const path of ["/hub/tiffin/active/resolve/main/config.json", "/hub/api/models/tiffin/active"]) {
    const ask = (env: object) => app.request(path, { method: "HEAD" }, { COORDINATOR, ...env });
    expect((await ask({ PUBLIC_MODELS: "on" })).status).toBe(200);
  }
});
