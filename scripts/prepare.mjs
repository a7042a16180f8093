/**
 * Runs before `npm start`, `npm test`, `npm run dev` and `npm run deploy`, under whatever Node the machine has:
 * installs the locked packages when they are missing or older than the lock file, then builds what sources ask for.
 * Plain JavaScript on purpose: the Node that strips types arrives with the packages.
 */
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "..");
const lock = join(root, "package-lock.json");
const installed = join(root, "node_modules", ".package-lock.json");

function run(command, args) {
  const result = spawnSync(command, args, { cwd: root, stdio: ["ignore", "inherit", "inherit"], shell: process.platform === "win32" });
  if (result.status !== 0) {
    console.error(
      `prepare: expected "${command} ${args.join(" ")}" to exit with 0, got ${result.status ?? result.error}. Mend what it says above, then try again.`,
    );
    process.exit(1);
  }
}

if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(lock).mtimeMs) {
  console.log("Installing packages (once; about half a minute)...");
  // Not `npm ci`: it refuses a lock file without the other platforms' optional bindings, which a registry may not carry.
  run("npm", ["install", "--no-save", "--no-audit", "--no-fund", "--loglevel", "error"]);
}
run(join(root, "node_modules", ".bin", "node"), [join(root, "scripts", "build.ts")]);
