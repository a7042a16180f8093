/** Flags of benches and soaks: unknown flags and malformed numbers are refused, so no check passes without having run. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "../../../scripts/local/workers.ts";

function soak(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(join(ROOT, "node_modules/.bin/node"), [join(ROOT, "scripts/soak.ts"), ...args], { encoding: "utf8" });
}

const USAGE = "usage: npm run soak -- simulate [--seeds N] [--first N] [--no-mutations] [--json]";

test.each([
  [["simulate", "--seeds", "10k"], "--seeds: expected a number like 10 or 0.5, got 10k", USAGE],
  [["simulate", "--seed", "5"], "Unknown option '--seed'", USAGE],
  [["simulate", "500"], "Unexpected argument '500'", USAGE],
  [["simulation"], "soak: expected one of alarm, kill, simulate, got simulation", "Usage: npm run soak -- NAME [--json]"],
])("%j is refused", (args, reason, usage) => {
  const { status, stderr } = soak(...args);
  expect(status).toBe(2);
  expect(stderr).toContain(reason);
  expect(stderr).toContain(usage);
});

test("a soak without any event is not ok", () => {
  const nothing = soak("simulate", "--seeds", "0", "--no-mutations", "--json");
  expect(JSON.parse(nothing.stdout)).toMatchObject({ events: 0, ok: false });
  expect(nothing.status).toBe(1);
});

test("the simulation finds no violation, and notices the removal of every safeguard", () => {
  const { stdout, status } = soak("simulate", "--seeds", "3", "--first", "7", "--json");
  const result = JSON.parse(stdout) as { mutationsCaughtAtSeed: Record<string, number | null> };
  expect(result).toMatchObject({ seeds: 3, violations: 0, ok: true });
  expect(Object.values(result.mutationsCaughtAtSeed)).toHaveLength(9);
  expect(status).toBe(0);
});
