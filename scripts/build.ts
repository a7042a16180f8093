/** `npm run build`: compiles shared/tensor/kernels to wasm, with and without relaxed SIMD, when a source is newer than a binary. */
import { spawnSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./workers.ts";

const FOLDER = join(ROOT, "shared/tensor/kernels");
/** tfjs owns the memory: no runtime, no heap of our own, no data segments that could overwrite it. */
const FLAGS = ["--runtime", "stub", "--importMemory", "--noAssert", "-O3", "--enable", "simd"];
const BUILDS: Readonly<Record<string, readonly string[]>> = {
  "kernels-relaxed.wasm": ["--enable", "relaxed-simd"],
  "kernels-simd.wasm": [],
};

const modified = (path: string) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
const sources = readdirSync(FOLDER).filter((name) => name.endsWith(".ts"));
const newest = Math.max(modified(import.meta.filename), ...sources.map((name) => modified(join(FOLDER, name))));

for (const [target, features] of Object.entries(BUILDS)) {
  if (modified(join(FOLDER, target)) >= newest) continue;
  const compiler = join(ROOT, "node_modules", ".bin", "asc");
  const result = spawnSync(compiler, [join(FOLDER, "index.ts"), "-o", join(FOLDER, target), ...FLAGS, ...features], {
    cwd: ROOT,
    stdio: "inherit",
  });
  if (result.status !== 0) {
    console.error(`build: expected asc to compile ${target}, got exit ${result.status}`);
    process.exitCode = 1;
  }
}
