/**
 * Two kinds of tests: `unit` runs pure code in Node, `pipeline` runs the real Workers in workerd. In `unit`, a `.wasm` import
 * is a compiled module as in workerd, so shared code is tested unchanged.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig, type Plugin } from "vitest/config";

const wasmModules: Plugin = {
  name: "wasm-modules",
  enforce: "pre",
  load(id) {
    const path = id.split("?")[0]!;
    if (!path.endsWith(".wasm")) return null;
    const base64 = readFileSync(path).toString("base64");
    return `export default new WebAssembly.Module(Buffer.from(${JSON.stringify(base64)}, "base64"));`;
  },
  // Vitest names cached modules by a hash of their text. Two binaries that differ in one instruction can be equal as text, so
  // binaries are not cached.
  configureVitest({ defineCacheKeyGenerator }) {
    defineCacheKeyGenerator(({ id }) => (id.split("?")[0]!.endsWith(".wasm") ? false : undefined));
  },
};

// Node keeps compiled code for later processes. The tests start wrangler, a large program, about fifty times.
process.env["NODE_COMPILE_CACHE"] ??= join(import.meta.dirname, "../.tiffin/compiled");

export default defineConfig({
  root: join(import.meta.dirname, ".."),
  plugins: [wasmModules],
  // tfjs is published as CommonJS and as ES modules. All code must get the same copy.
  resolve: { mainFields: ["module", "main"] },
  test: {
    // These timeouts only end tests that hang. A machine six times slower, with other work, stays below them.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    // One more than the number of cores, because tests often wait for other processes and for clocks.
    maxWorkers: 3,
    server: { deps: { inline: [/@tensorflow\/.*\/dist\//, /\.wasm$/] } },
    projects: [
      // Files share a process, so that tfjs, the kernels and wrangler are loaded once. A test that depends on the build of the
      // kernels chooses it. Each file closes the Workers that it opens.
      { extends: true, test: { name: "unit", include: ["tests/unit/**/*.test.ts"], isolate: false } },
      {
        extends: true,
        test: { name: "pipeline", include: ["tests/pipeline/**/*.test.ts"], isolate: false, globalSetup: "tests/pipeline/bundles.ts" },
      },
    ],
  },
});
