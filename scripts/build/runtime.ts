/**
 * `npm run build -- runtime`: bundles shared/runtime into one ES module for browsers and Node. The module contains both builds of
 * the kernels, compressed. The build fails above MAX_GZIP_BYTES.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { deflateRawSync, gzipSync } from "node:zlib";
import { build, type Plugin } from "esbuild";
import { ROOT } from "../local/workers.ts";

export const RUNTIME = join(ROOT, ".tiffin", "runtime", "tiffin.js");
const MAX_GZIP_BYTES = 250 * 1024;

const packed = (name: string) =>
  deflateRawSync(readFileSync(join(ROOT, "shared/tensor/kernels", `kernels-${name}.wasm`)), { level: 9 }).toString("base64");

const runtimeModules: Plugin = {
  name: "runtime-modules",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^tiffin:kernels$/ }, ({ path }) => ({ path, namespace: "tiffin" }));
    onLoad({ filter: /.*/, namespace: "tiffin" }, () => ({
      contents: ["relaxed", "simd"].map((name) => `export const ${name} = "${packed(name)}";`).join("\n"),
    }));
    onResolve({ filter: /^@tensorflow\/tfjs-core$/ }, () => ({ path: join(ROOT, "shared/runtime/tfjs-core.ts") }));
  },
};

/** Bundles the module and returns its code and its size after gzip. Throws above the bound. */
export async function bundleRuntime(): Promise<{ code: Uint8Array; gzipBytes: number }> {
  const { outputFiles, warnings } = await build({
    entryPoints: [join(ROOT, "shared/runtime/tiffin.ts")],
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2024",
    legalComments: "eof",
    plugins: [runtimeModules],
    write: false,
  });
  if (warnings.length > 0) throw new Error(`runtime: expected no warnings, got ${warnings.map(({ text }) => text).join("; ")}`);
  const code = outputFiles[0]!.contents;
  const gzipBytes = gzipSync(code, { level: 9 }).length;
  if (gzipBytes > MAX_GZIP_BYTES)
    throw new Error(`runtime: expected at most ${MAX_GZIP_BYTES} bytes after gzip, got ${gzipBytes}: check the new imports`);
  return { code, gzipBytes };
}

/** Writes the module to RUNTIME and returns its size after gzip. */
export async function buildRuntime(): Promise<{ gzipBytes: number }> {
  const { code, gzipBytes } = await bundleRuntime();
  mkdirSync(dirname(RUNTIME), { recursive: true });
  writeFileSync(RUNTIME, code);
  return { gzipBytes };
}
