/**
 * Builds the Studio's files in .tiffin/studio, which wrangler serves (`[assets]` in wrangler.toml): one script and one
 * prerendered page per screen, one script with the shared packages, one style sheet, and `_headers`. Only changed files are
 * written, because `wrangler dev` watches the folder. A page that exceeds its budget fails the build.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { build, type BuildOptions, type OutputFile, type Plugin } from "esbuild";
import { ROOT } from "../local/workers.ts";
import { bundleRuntime } from "./runtime.ts";

const SOURCE = join(ROOT, "workers/gateway/studio");
/** The folder that `[assets]` in wrangler.toml names. */
export const STUDIO = join(ROOT, ".tiffin/studio");
const ASSETS = "/studio/assets/";

/**
 * The limits of a screen: bytes after gzip -9, and the number of files. A view is everything that the first visit loads: page,
 * scripts, style sheet and icon.
 */
export const BUDGETS = {
  script: { plain: 20 * 1024, curve: 45 * 1024 },
  view: { plain: 32 * 1024, curve: 60 * 1024 },
  sheet: 6 * 1024,
  page: 6 * 1024,
  files: 6,
} as const;

export interface ScreenSize {
  screen: string;
  path: string;
  hasCurve: boolean;
  script: number;
  sheet: number;
  page: number;
  view: number;
  files: number;
}

/** The exports of prerender.tsx, bundled for Node. */
interface Prerenderer {
  pages(filesOf: (name: string) => PageFiles): { screen: { name: string; path: string; hasCurve?: true }; file: string; html: string }[];
  headersFile(assets: string): string;
}

interface PageFiles {
  script: string;
  common: string;
  sheet: string;
  icon: string;
}

const COMMON: BuildOptions = {
  absWorkingDir: ROOT,
  bundle: true,
  format: "esm",
  jsx: "automatic",
  jsxImportSource: "preact",
  target: ["chrome120", "firefox121", "safari17.4"],
  minify: true,
  charset: "utf8",
  legalComments: "none",
  write: false,
  logLevel: "warning",
};

const gzipped = (bytes: Uint8Array | string) => gzipSync(bytes, { level: 9 }).byteLength;

/** The packages that every screen uses. They are one file, so a browser loads them once for all screens. */
const PACKAGES = ["preact", "preact/hooks", "preact/jsx-runtime", "@preact/signals"];

async function bundle(screens: readonly string[]) {
  const files = new Map<string, Uint8Array>();
  const keep = (outputs: readonly OutputFile[] | undefined): string => {
    for (const { path, contents } of outputs!) files.set(`/${relative(STUDIO, path)}`, contents);
    return `/${relative(STUDIO, outputs![0]!.path)}`;
  };
  const exports = PACKAGES.map((name) => `export * from ${JSON.stringify(name)};`).join("\n");
  const shared = await build({
    ...COMMON,
    stdin: { contents: exports, resolveDir: ROOT, sourcefile: "common.js" },
    outdir: STUDIO + ASSETS,
    entryNames: "common-[hash]",
  });
  const common = keep(shared.outputFiles);
  const fromCommon: Plugin = {
    name: "packages in the common file",
    setup: ({ onResolve }) => {
      onResolve({ filter: new RegExp(`^(${PACKAGES.join("|")})$`) }, () => ({ path: common, external: true }));
    },
  };
  const { code } = await bundleRuntime();
  // A page loads the runtime only when the visitor asks for it, so the runtime is not part of a view's budget.
  const runtime = `${ASSETS}tiffin-${createHash("sha256").update(code).digest("hex").slice(0, 8)}.js`;
  files.set(runtime, code);
  const scripts = new Map<string, string>();
  for (const name of screens) {
    const entryPoints = [{ in: join(SOURCE, "screens", name, "entry.tsx"), out: name }];
    const { outputFiles } = await build({
      ...COMMON,
      entryPoints,
      outdir: STUDIO + ASSETS,
      entryNames: "[name]-[hash]",
      define: { RUNTIME_ADDRESS: JSON.stringify(runtime) },
      plugins: [fromCommon],
    });
    scripts.set(name, keep(outputFiles));
  }
  const sheets = await build({
    ...COMMON,
    entryPoints: [join(SOURCE, "styles/studio.css")],
    outdir: STUDIO + ASSETS,
    entryNames: "[name]-[hash]",
  });
  const sheet = keep(sheets.outputFiles);
  const picture = readFileSync(join(SOURCE, "styles/icon.svg"));
  const icon = `${ASSETS}icon-${createHash("sha256").update(picture).digest("hex").slice(0, 8)}.svg`;
  files.set(icon, picture);
  const filesOf = (name: string): PageFiles => ({ script: scripts.get(name)!, common, sheet, icon });
  return { files, filesOf };
}

/** Bundles prerender.tsx for Node, which cannot read JSX, and imports the bundle. */
async function loadPrerenderer(): Promise<Prerenderer> {
  const { outputFiles } = await build({ ...COMMON, entryPoints: [join(SOURCE, "prerender.tsx")], platform: "node", outdir: STUDIO });
  const folder = join(ROOT, ".tiffin/build");
  mkdirSync(folder, { recursive: true });
  const { contents } = outputFiles![0]!;
  const path = join(folder, `prerender-${createHash("sha256").update(contents).digest("hex").slice(0, 12)}.mjs`);
  if (!existsSync(path)) {
    for (const old of readdirSync(folder)) if (old.startsWith("prerender-")) rmSync(join(folder, old), { force: true });
    writeFileSync(path, contents);
  }
  return (await import(pathToFileURL(path).href)) as Prerenderer;
}

function refuseLarge(size: ScreenSize): void {
  const kind = size.hasCurve ? "curve" : "plain";
  const limits = { script: BUDGETS.script[kind], sheet: BUDGETS.sheet, page: BUDGETS.page, view: BUDGETS.view[kind], files: BUDGETS.files };
  for (const [what, limit] of Object.entries(limits)) {
    const got = size[what as keyof typeof limits];
    if (got > limit)
      throw new Error(
        `studio: screen ${size.screen}: expected ${what} of at most ${limit}${what === "files" ? "" : " bytes gzip"}, got ${got}`,
      );
  }
}

/** Replaces the folder's content, file by file. */
function write(files: ReadonlyMap<string, Uint8Array | string>): void {
  const known = existsSync(STUDIO) ? readdirSync(STUDIO, { recursive: true, withFileTypes: true }) : [];
  for (const [path, contents] of files) {
    const target = join(STUDIO, path);
    const bytes = Buffer.from(contents);
    if (existsSync(target) && readFileSync(target).equals(bytes)) continue;
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, bytes);
  }
  for (const entry of known) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && !files.has(`/${relative(STUDIO, path)}`)) rmSync(path);
  }
}

/** Builds the Studio and returns the sizes of its screens. Throws when one is above its budget. */
export async function buildStudio(): Promise<ScreenSize[]> {
  const screens = readdirSync(join(SOURCE, "screens"));
  const [{ files, filesOf }, { pages, headersFile }] = await Promise.all([bundle(screens), loadPrerenderer()]);
  const all = new Map<string, Uint8Array | string>(files);
  const rendered = pages(filesOf);
  for (const { file, html } of rendered) all.set(file, html);
  const sizeOf = (path: string) => gzipped(all.get(path)!);
  const sizes = rendered.map(({ screen, file }): ScreenSize => {
    const { script, common, sheet, icon } = filesOf(screen.name);
    const scripts = sizeOf(script) + sizeOf(common);
    const [sheetSize, pageSize] = [sizeOf(sheet), sizeOf(file)];
    return {
      screen: screen.name,
      path: screen.path,
      hasCurve: screen.hasCurve === true,
      script: scripts,
      sheet: sheetSize,
      page: pageSize,
      view: scripts + sheetSize + pageSize + sizeOf(icon),
      files: 5,
    };
  });
  for (const size of sizes) refuseLarge(size);
  all.set("/_headers", `${headersFile(ASSETS)}\n`);
  write(all);
  return sizes;
}
