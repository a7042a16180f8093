/**
 * `npm run build`: compiles shared/tensor/kernels to wasm, with and without relaxed SIMD, when a source is newer than a binary.
 *
 * Sources may ask for lines to be written out: what stands between `// @unroll K 128` and `// @end` is repeated with K = 0 to
 * 127 as numbers. The compiler unrolls no loops, and one kernel needs its addresses as constants (kernels/tile.ts says why).
 */
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { main } from "assemblyscript/asc";
import { ROOT } from "./workers.ts";

const FOLDER = join(ROOT, "shared/tensor/kernels");
/**
 * tfjs owns the memory: no runtime, no heap of our own, no data segments that could overwrite it. That it has four pages at
 * least, which it has from its start, is what lets constant addresses below 256 KiB go unchecked.
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

/** A source of the kernels, or null for the other places where the compiler looks for a name. */
function readSource(name: string, base: string): string | null {
  try {
    return unrolled(readFileSync(join(base, name), "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

const modified = (path: string) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
const sources = readdirSync(FOLDER).filter((name) => name.endsWith(".ts"));
const newest = Math.max(modified(import.meta.filename), ...sources.map((name) => modified(join(FOLDER, name))));

for (const [target, features] of Object.entries(BUILDS)) {
  if (modified(join(FOLDER, target)) >= newest) continue;
  const { error, stderr } = await main(["index.ts", "-o", target, "--baseDir", FOLDER, ...FLAGS, ...features], {
    readFile: readSource,
    writeFile: (name, contents, base) => writeFileSync(join(base, name), contents),
  });
  if (error !== null) {
    console.error(`build: expected asc to compile ${target}, got ${error.message}\n${stderr.toString()}`);
    process.exitCode = 1;
  }
}
