/**
 * How many bytes the Studio adds to the gateway's bundle: the bundle as it is, against the same bundle without the modules that
 * only the Studio needs. Their routes in other modules are not counted.
 */
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build, type Plugin } from "esbuild";
import { ROOT } from "../../../local/workers.ts";

const STUDIO_ONLY =
  /\/workers\/gateway\/(studio-pages|overview|studio\/policy|session\/\w+|native\/corpus-routes)\.ts$|\/shared\/(session-codes|contracts\/(session|overview|curve|documents))\.ts$/;

/** Replaces a module by its names without values. */
const withoutStudio: Plugin = {
  name: "without the Studio",
  setup({ onLoad }) {
    onLoad({ filter: STUDIO_ONLY }, async ({ path }) => {
      const names = Object.keys((await namesOf(path)) as object);
      return { contents: names.map((name) => `export const ${name} = undefined;`).join("\n") };
    });
  },
};

async function namesOf(path: string): Promise<Record<string, true>> {
  const { metafile } = await build({ entryPoints: [path], bundle: false, write: false, format: "esm", metafile: true, outdir: ROOT });
  const [output] = Object.values(metafile.outputs);
  return Object.fromEntries(output!.exports.map((name) => [name, true] as const));
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

/** Bytes after gzip -9: of the gateway with the Studio, and the growth by the Studio. */
export async function gatewayGrowth(): Promise<{ gateway: number; growth: number }> {
  const [gateway, without] = await Promise.all([sizeOf([]), sizeOf([withoutStudio])]);
  return { gateway, growth: gateway - without };
}
