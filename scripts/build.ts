/**
 * `npm run build`: writes the Studio's files (build/studio.ts), without which wrangler refuses to start the gateway. Compiles
 * shared/tensor/kernels to wasm, with and without relaxed SIMD, if a source is newer than a binary.
 * The kernels' contract for TypeScript is committed; `npm run types` writes it.
 *
 * A source may ask for unrolled lines: the lines from `// @unroll K 128` to `// @end` are repeated with the numbers 0 to 127
 * in place of K. The compiler does not unroll loops, and the microkernel needs its addresses as constants
 * (kernels/gemm/microkernel.ts explains why).
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { buildStudio } from "./build/studio.ts";
import { ROOT } from "./local/workers.ts";

const FOLDER = join(ROOT, "shared/tensor/kernels");
/** The sources with all unrolled lines, as the compiler reads them. */
const EXPANDED = join(ROOT, ".tiffin/kernels");
/**
 * tfjs owns the memory. So the kernels have no runtime, no heap, and no data segments, which would overwrite tfjs's data. The
 * memory starts with more than four pages; with this declaration, constant addresses below 256 KiB need no bounds check.
 */
const FLAGS = ["--runtime", "stub", "--importMemory", "--initialMemory", "4", "--noAssert", "-O3", "--enable", "simd"];
const BUILDS: Readonly<Record<string, readonly string[]>> = {
  "kernels-relaxed.wasm": ["--enable", "relaxed-simd"],
  "kernels-simd.wasm": [],
};

function unrolled(source: string): string {
  return source.replaceAll(/^ *\/\/ @unroll (\w+) (\d+)\n([\s\S]*?)^ *\/\/ @end\n/gm, (_, name: string, times: string, lines: string) =>
    Array.from({ length: Number(times) }, (__, index) => lines.replaceAll(new RegExp(`\\b${name}\\b`, "g"), String(index))).join(""),
  );
}

const modified = (path: string) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
const sources = readdirSync(FOLDER, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
const newest = Math.max(modified(import.meta.filename), ...sources.map((name) => modified(join(FOLDER, name))));
const stale = Object.keys(BUILDS).filter((target) => modified(join(FOLDER, target)) < newest);

if (stale.length > 0) {
  rmSync(EXPANDED, { recursive: true, force: true });
  for (const name of sources) {
    mkdirSync(dirname(join(EXPANDED, name)), { recursive: true });
    writeFileSync(join(EXPANDED, name), unrolled(readFileSync(join(FOLDER, name), "utf8")));
  }
}
for (const target of stale) {
  const compiler = join(ROOT, "node_modules", ".bin", "asc");
  const result = spawnSync(compiler, [join(EXPANDED, "index.ts"), "-o", join(FOLDER, target), ...FLAGS, ...BUILDS[target]!], {
    cwd: ROOT,
    stdio: "inherit",
  });
  if (result.status !== 0) {
    console.error(`build: expected asc to compile ${target}, got exit ${result.status}`);
    process.exitCode = 1;
  }
}

if (process.argv.includes("runtime")) {
  const { buildRuntime, RUNTIME } = await import("./build/runtime.ts");
  const { gzipBytes } = await buildRuntime();
  console.log(`${relative(ROOT, RUNTIME)}: ${(gzipBytes / 1024).toFixed(1)} KiB after gzip`);
}
try {
  await buildStudio();
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
