/**
 * Finds a Chromium for tests and screenshots: the one that CHROMIUM_PATH names, an installed one, or @sparticuz/chromium from npm
 * (67 MB, Linux x64), which is downloaded once into .tiffin/chromium.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium, type Browser } from "playwright-core";
import { ROOT } from "../local/workers.ts";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const PLACES = ["/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium"];
const PACKAGE = "@sparticuz/chromium@153.0.0";
const FOLDER = join(ROOT, ".tiffin", "chromium");
const FETCH_TIMEOUT_MS = 300_000;

function installed(): string | null {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const paths = [...folders.flatMap((folder) => NAMES.map((name) => join(folder, name))), ...PLACES];
  return paths.find((path) => existsSync(path)) ?? null;
}

/**
 * The Chromium of the npm package, downloaded if necessary. Null if the package does not support this platform or the download
 * fails.
 */
async function packaged(): Promise<string | null> {
  if (process.platform !== "linux" || process.arch !== "x64") return null;
  const entry = join(FOLDER, "node_modules/@sparticuz/chromium/build/index.js");
  if (!existsSync(entry)) {
    mkdirSync(FOLDER, { recursive: true });
    // Without a package.json of its own, npm would install into the repository.
    writeFileSync(join(FOLDER, "package.json"), JSON.stringify({ private: true }));
    const args = ["install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel", "error", PACKAGE];
    const { status } = spawnSync("npm", args, { cwd: FOLDER, stdio: "ignore", timeout: FETCH_TIMEOUT_MS });
    if (status !== 0 || !existsSync(entry)) return null;
  }
  // We ignore the package's own arguments. They run the browser in one process, which crashes when a page closes, and they turn
  // off web security, which the tests check.
  const { default: bundled } = (await import(pathToFileURL(entry).href)) as { default: { executablePath(): Promise<string> } };
  return bundled.executablePath();
}

/** The path of a Chromium, or null if none is found. Tests then report this and skip. */
export async function findChromium(): Promise<string | null> {
  const given = process.env["CHROMIUM_PATH"];
  if (given !== undefined && !existsSync(given)) throw new Error(`CHROMIUM_PATH: expected an executable, found none at ${given}`);
  return given ?? installed() ?? packaged();
}

export function launch(executablePath: string): Promise<Browser> {
  // Containers lack the user namespaces that Chromium's sandbox needs, and have little shared memory.
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"], headless: true });
}
