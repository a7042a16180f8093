/**
 * `npm run types`: writes the generated types, which are committed. Each workers/<name>/env.d.ts comes from a wrangler.toml;
 * the type of a service binding is the callee's class. shared/tensor/engine/kernel-exports.ts comes from the kernels' sources.
 * `npm run types -- --check` writes nothing and fails if a file is out of date.
 */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { relative } from "node:path";
import { CONTRACT, kernelContract } from "./build/kernel-contract.ts";
import { ROOT, WORKERS, configPath } from "./local/workers.ts";

const check = process.argv.includes("--check");
let failed = false;
if (!check) writeFileSync(CONTRACT, kernelContract());
else if (readFileSync(CONTRACT, "utf8") !== kernelContract()) {
  failed = true;
  process.stderr.write(`types: expected ${relative(ROOT, CONTRACT)} to match the kernels, but it is out of date. Run npm run types.\n`);
}
for (const { name, callees } of WORKERS) {
  const envName = `${name[0]!.toUpperCase()}${name.slice(1)}Env`;
  // The paths are relative, because wrangler writes its command line into the file.
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
