/**
 * `npm run deploy -- [--env staging] [--prefix NAME] [--no-smoke] [--dry-run]`: uploads the seven Workers to a Cloudflare
 * account, or updates them, and tests that they work. Checks come before the first change, migrations before code. `--dry-run`
 * changes nothing and prints each bundle's size. workers/README.md lists the requirements of an account.
 */
import { readOptions } from "./cli/options.ts";
import { prefixOf, readDeployment, roleName } from "./cloudflare/deployment.ts";
import { login } from "./cloudflare/login.ts";
import { addressOf, problemsOf } from "./cloudflare/preflight.ts";
import { putObject } from "./cloudflare/objects.ts";
import { smoke } from "./cloudflare/smoke.ts";
import { survey } from "./cloudflare/survey.ts";
import { createResources, dryRun, migrate, upload } from "./cloudflare/upload.ts";
import type { StoredObject } from "./local/dataset-objects.ts";

const USAGE = "npm run deploy -- [--env NAME] [--prefix NAME] [--no-smoke] [--dry-run]";
const OPTIONS = {
  env: { type: "string" },
  prefix: { type: "string" },
  smoke: { type: "boolean", default: true },
  // Without `--`, npm takes `--dry-run` as its own option and passes it on only in the environment.
  "dry-run": { type: "boolean", default: process.env["npm_config_dry_run"] === "true" },
} as const;

const options = readOptions(USAGE, OPTIONS, ({ env, prefix, smoke: isSmoked, "dry-run": isDry }) => ({
  prefix: prefixOf(prefix, env),
  isSmoked,
  isDry,
}));
const print = (line: string): void => console.log(line);

try {
  const deployment = readDeployment(options.prefix);
  if (options.isDry) await dryRun(deployment, print);
  else {
    const account = await login();
    const found = await survey(account.api, deployment);
    const problems = await problemsOf(account.api, deployment, found);
    if (problems.length > 0) throw new Error(`nothing was changed, because:\n${problems.map((problem) => `- ${problem}`).join("\n")}`);
    const databases = await createResources(account.api, deployment, found, print);
    await migrate(deployment, databases, account.env);
    print("applied the migrations");
    await upload(deployment, databases, account, print);
    const url = await addressOf(account.api, deployment);
    print(`${deployment.prefix} is deployed at ${url}`);
    if (options.isSmoked) {
      const bucket = roleName(deployment, "artifacts");
      const put = (object: StoredObject) => putObject(account.api, bucket, object.key, object.bytes);
      await smoke({ url, token: process.env["OPERATOR_TOKEN"], put, print });
    }
  }
} catch (error) {
  console.error(`deploy: ${(error as Error).message}`);
  process.exitCode = 1;
}
