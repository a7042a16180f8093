/**
 * Starts a Worker alone in a workerd process. `wrangler dev` and the test harness add their own Workers to the process, and
 * their memory could not be separated from the measured Worker's memory. All fetches of the Worker go to one address.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, runProcess, startProcess, untilAnswers } from "../../local/processes.ts";
import { ROOT } from "../../local/workers.ts";

const START_MS = 10_000;
const MAIN = "index.js";

/**
 * Bundles and starts the Worker of a wrangler config whose `main` is index.ts. Returns its address. `stopProcesses` ends the
 * Worker.
 */
export async function startWorkerd(name: string, configPath: string, outbound: string): Promise<string> {
  const folder = join(ROOT, ".tiffin", name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const built = runProcess("wrangler", ["deploy", "--dry-run", "--outdir", folder, "-c", configPath]);
  if (built.status !== 0) throw new Error(`${configPath}: expected wrangler to bundle it, got exit ${built.status}\n${built.output}`);
  const date = /^compatibility_date = "(.+)"$/m.exec(readFileSync(configPath, "utf8"))?.[1];
  if (date === undefined) throw new Error(`${configPath}: expected a compatibility_date, found none`);
  const files = [MAIN, ...readdirSync(folder).filter((file) => file.endsWith(".wasm"))];
  const modules = files.map((file) => `(name = "${file}", ${file === MAIN ? "esModule" : "wasm"} = embed "${file}")`);
  const port = await freePort(0);
  const config = join(folder, "workerd.capnp");
  writeFileSync(
    config,
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (modules = [${modules.join(", ")}], compatibilityDate = "${date}", globalOutbound = "outbound")),
    (name = "outbound", external = (address = "${outbound}", http = ())),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
`,
  );
  const child = startProcess(name, "workerd", ["serve", config], {});
  const url = `http://127.0.0.1:${port}`;
  await untilAnswers(name, child, url, (status) => status >= 200 && status < 300, START_MS);
  return url;
}
