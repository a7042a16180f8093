/**
 * `npm run types`: writes workers/<name>/env.d.ts from each wrangler.toml; a service binding is typed as its callee's class.
 * `npm run types -- --check` writes nothing and fails if a file is out of date.
 */
import { spawnSync } from "node:child_process";
import { relative } from "node:path";
import { ROOT, WORKERS, configPath } from "./local/workers.ts";

const check = process.argv.includes("--check");
let failed = false;
for (const { name, callees } of WORKERS) {
  const envName = `${name[0]!.toUpperCase()}${name.slice(1)}Env`;
  // Relative paths: wrangler writes its command line into the file.
  const configs = [name, ...callees].flatMap((worker) => ["-c", relative(ROOT, configPath(worker))]);
  const options = ["--env-interface", envName, "--include-runtime", "false", "--strict-vars", "false", ...(check ? ["--check"] : [])];
  const result = spawnSync("wrangler", ["types", `workers/${name}/env.d.ts`, ...configs, ...options], {
    cwd: ROOT,
    encoding: "utf8",
    env: { ...process.env, WRANGLER_SEND_METRICS: "false" },
  });
  if (result.status !== 0) {
    failed = true;
    process.stderr.write(`types: ${name}: expected wrangler to exit with 0, got ${result.status}\n${result.stdout}${result.stderr}\n`);
  }
}
process.exitCode = failed ? 1 : 0;
