/** A file has one concept, and 300 lines are enough for one concept. oxlint counts the parameters of functions (max-params). */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "../../../scripts/local/workers.ts";

const MAX_LINES = 300;

const isSource = (path: string) => /\.(ts|mjs)$/.test(path) && !/(^|\/)(env\.d\.ts|node_modules\/)/.test(path);

test("no source file is longer than 300 lines", () => {
  const files = ["shared", "workers", "scripts"].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
      .map((path) => join(folder, path))
      .filter(isSource),
  );
  expect(files.length).toBeGreaterThan(200);
  const long = files.map((path) => ({ path, lines: readFileSync(join(ROOT, path), "utf8").split("\n").length - 1 }));
  expect(long.filter(({ lines }) => lines > MAX_LINES)).toEqual([]);
});
