/**
 * How many bytes the Studio adds to the gateway's bundle: the bundle as it is, against the same bundle without the modules that
 * only the Studio needs. Their routes in other modules are not counted.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build, type Plugin } from "esbuild";
import { ROOT } from "../../../local/workers.ts";

const STUDIO_ONLY = [
  "workers/gateway/studio-pages.ts",
  "workers/gateway/overview.ts",
  "workers/gateway/studio/policy.ts",
  "workers/gateway/session/cookie.ts",
  "workers/gateway/session/door.ts",
  "workers/gateway/native/corpus-routes.ts",
  "shared/session-codes.ts",
  "shared/contracts/session.ts",
  "shared/contracts/overview.ts",
  "shared/contracts/curve.ts",
  "shared/contracts/documents.ts",
].map((path) => join(ROOT, path));

/** Replaces these modules by their names without values. */
const withoutStudio: Plugin = {
  name: "without the Studio",
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, async ({ path }) =>
      STUDIO_ONLY.includes(path)
        ? { contents: (await namesOf(path)).map((name) => `export const ${name} = undefined;`).join("\n") }
        : undefined,
    );
  },
};

async function namesOf(path: string): Promise<readonly string[]> {
  const { metafile } = await build({ entryPoints: [path], bundle: false, write: false, format: "esm", metafile: true, outdir: ROOT });
  return Object.values(metafile.outputs)[0]!.exports;
}

async function sizeOf(plugins: Plugin[]): Promise<number> {
  const { outputFiles } = await build({
    entryPoints: [join(ROOT, "workers/gateway/index.ts")],
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "node:*"],
    write: false,
    logLevel: "error",
    plugins,
  });
  return gzipSync(outputFiles[0]!.contents, { level: 9 }).byteLength;
}

/** Bytes after gzip -9: of the gateway with the Studio, and the growth by the Studio. Throws if one of the modules was moved. */
export async function gatewayGrowth(): Promise<{ gateway: number; growth: number }> {
  const moved = STUDIO_ONLY.filter((path) => !existsSync(path));
  if (moved.length > 0) throw new Error(`gateway: expected the Studio's modules, found none at ${moved.join(", ")}`);
  const [gateway, without] = await Promise.all([sizeOf([]), sizeOf([withoutStudio])]);
  return { gateway, growth: gateway - without };
}
