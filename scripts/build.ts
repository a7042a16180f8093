/** `npm run build`: compiles shared/tensor/kernels to wasm when a source is newer than the binary. */
import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./workers.ts";

const SOURCE = "shared/tensor/kernels/kernels.ts";
const TARGET = "shared/tensor/kernels/kernels.wasm";
/** tfjs owns the memory: no runtime, no heap of our own, no data segments that could overwrite it. */
const FLAGS = ["--runtime", "stub", "--importMemory", "--noAssert", "--enable", "simd", "--enable", "relaxed-simd", "-O3"];

const modified = (path: string) => statSync(join(ROOT, path), { throwIfNoEntry: false })?.mtimeMs ?? 0;

if (modified(TARGET) < Math.max(modified(SOURCE), modified("scripts/build.ts"))) {
  const result = spawnSync(join(ROOT, "node_modules", ".bin", "asc"), [SOURCE, "-o", TARGET, ...FLAGS], { cwd: ROOT, stdio: "inherit" });
  if (result.status !== 0) {
    console.error(`build: expected asc to compile ${SOURCE}, got exit ${result.status}`);
    process.exitCode = 1;
  }
}
