/**
 * Lets Node import files that otherwise only bundlers can import for Workers: a `.wasm` file as a compiled module, and tfjs
 * from its ES modules. These modules are made for bundlers, so their imports have no file extension. A bench imports this file
 * before `shared/tensor`.
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { createRequire, registerHooks } from "node:module";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { ROOT } from "../../local/workers.ts";

const TFJS = "@tensorflow/tfjs-";

// tfjs expects `require` in Node.
Object.assign(globalThis, { require: createRequire(import.meta.url) });

/** The file of an import without extension: the path itself, the path with `.js`, or a folder's index. */
function fileOf(path: string): string {
  if (existsSync(path) && statSync(path).isFile()) return path;
  return existsSync(`${path}.js`) ? `${path}.js` : join(path, "index.js");
}

registerHooks({
  resolve(specifier, context, next) {
    const isOwn = specifier.startsWith(".") && (context.parentURL?.includes(`/node_modules/${TFJS}`) ?? false);
    if (!specifier.startsWith(TFJS) && !isOwn) return next(specifier, context);
    const isPackage = /^@tensorflow\/[\w-]+$/.test(specifier);
    const path = isOwn
      ? fileURLToPath(new URL(specifier, context.parentURL).href)
      : join(ROOT, "node_modules", specifier, ...(isPackage ? ["dist", "index.js"] : []));
    return { url: pathToFileURL(fileOf(path)).href, shortCircuit: true };
  },
  load(url, context, next) {
    if (!url.endsWith(".wasm")) return next(url, context);
    const base64 = readFileSync(fileURLToPath(url)).toString("base64");
    const source = `export default new WebAssembly.Module(Buffer.from(${JSON.stringify(base64)}, "base64"));`;
    return { format: "module", source, shortCircuit: true };
  },
});
