/**
 * Runs before every npm script, on the machine's own Node. It installs the locked packages if they are missing or older than
 * the lock file, then builds the kernels. This file is plain JavaScript, because the Node that strips types is one of the
 * packages.
 */
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const lock = join(root, "package-lock.json");
const installed = join(root, "node_modules", ".package-lock.json");
const node = join(root, "node_modules", ".bin", "node");

function run(command, args) {
  const result = spawnSync(command, args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
  if (result.status !== 0) {
    console.error(
      `prepare: expected "${command} ${args.join(" ")}" to exit with 0, got ${result.status ?? result.error}. Fix the error above, then try again.`,
    );
    process.exit(1);
  }
}

if (process.platform === "win32") {
  console.error("prepare: expected Linux or macOS, got Windows: run Tiffin in WSL (learn.microsoft.com/windows/wsl/install).");
  process.exit(1);
}
// With NODE_ENV=production, npm skips development packages. Then the project's own Node is missing.
if (!existsSync(installed) || !existsSync(node) || statSync(installed).mtimeMs < statSync(lock).mtimeMs) {
  console.log("Installing packages (once; about half a minute)...");
  // `npm ci` would refuse a lock file that lacks optional packages of other platforms, and some registries do not have them.
  // --dry-run=false: in `npm run deploy --dry-run`, npm's own dry-run is set and would install nothing.
  run("npm", ["install", "--dry-run=false", "--include=dev", "--no-save", "--no-audit", "--no-fund", "--loglevel", "error"]);
}
run(node, [join(root, "scripts", "build.ts")]);
