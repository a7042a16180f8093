/**
 * Runs Tiffin on this machine: one `wrangler dev` with six Workers, and one process per core with the seventh Worker, the
 * trainer.
 *
 * One workerd runs all its JavaScript on one thread. A trainer in the coordinator's process would block every other call for a
 * whole training step, so trainers have their own processes. They reach the coordinator through wrangler's dev registry. This
 * script calls POST /work on each of them again and again, which keeps them working. State is in .wrangler/state.
 */
import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createCode } from "../../shared/session-codes.ts";
import {
  endWith,
  freePort,
  killProcesses,
  onEnd,
  runProcess,
  startProcess,
  stopProcesses,
  untilAnswers,
  untilFree,
  wantedPort,
} from "./processes.ts";
import { ROOT, WORKERS, configPath } from "./workers.ts";

const DEFAULT_PORT = 8787;
const START_TIMEOUT_MS = 90_000;
const STATE = join(ROOT, ".wrangler", "state");
/** The file with the address of the Tiffin that was started last with this state. The next start and `npm run watch` read it. */
const addressOf = (state: string) => join(state, "address");

export interface LocalOptions {
  port?: number;
  /** The only local origin that the collector may crawl. */
  localOrigin?: string;
  /** The number of trainer processes, at least one. The default is one per core. */
  trainers?: number;
  fresh?: boolean;
  /** Called with the Studio's address as soon as the gateway answers. The trainers answer some seconds later. */
  onStudio?: (address: string) => void;
  /** The folder of all state. Benches and soaks use their own folder, so they do not touch the user's models. */
  state?: string;
}

export interface Local {
  url: string;
  token: string;
  stop(): Promise<void>;
  /** Ends all processes at once, like a power failure. Resolves when their port is free. */
  kill(): Promise<void>;
}

/** The operator's secret for local work. It is generated once, kept in .dev.vars, and never printed. */
export function operatorToken(): string {
  const path = join(ROOT, ".dev.vars");
  const known = existsSync(path) ? /^OPERATOR_TOKEN\s*=\s*"?([^"\n]+)"?$/m.exec(readFileSync(path, "utf8"))?.[1] : undefined;
  if (known !== undefined) return known;
  const token = randomBytes(24).toString("base64url");
  writeFileSync(path, `OPERATOR_TOKEN="${token}"\n`, { mode: 0o600, flag: "a" });
  return token;
}

/**
 * Throws if a Tiffin already runs on this state, because two would corrupt it. Only a Tiffin of this folder accepts this
 * folder's token.
 */
async function refuseSecond(state: string, token: string): Promise<void> {
  if (!existsSync(addressOf(state))) return;
  const url = readFileSync(addressOf(state), "utf8");
  const headers = { authorization: `Bearer ${token}` };
  const answer = await fetch(`${url}/models`, { headers, signal: AbortSignal.timeout(5000) }).catch(() => null);
  await answer?.body?.cancel();
  if (answer?.status === 200) throw new Error(`Tiffin already runs from this folder, at ${url}. Stop it with Ctrl-C first.`);
}

function migrate(state: string): void {
  const result = runProcess("wrangler", [
    "d1",
    "migrations",
    "apply",
    "tiffin-feedback",
    "--local",
    "--persist-to",
    state,
    "-c",
    configPath("feedback"),
  ]);
  if (result.status !== 0) throw new Error(`expected the D1 migrations to apply, got exit ${result.status}\n${result.output}`);
}

/**
 * Flags of every `wrangler dev`. With inspector port 0, workerd chooses a free port when it listens. A port chosen earlier may
 * be in use by then.
 */
const QUIETLY = ["--show-interactive-dev-session=false", "--inspector-port", "0"];

/**
 * Each trainer gets its own empty state folder. workerd creates databases there even for Workers without storage. If two
 * processes create the same database at once, they find it locked and end.
 */
const trainersOf = (state: string) => join(state, "trainers");

/**
 * Two folders per state. The processes of a state find each other through its registry, and no other processes. Temporary
 * files have a folder too, because killed processes leave some files behind.
 */
const foldersOf = (state: string) => ({ WRANGLER_REGISTRY_PATH: join(state, "registry"), TMPDIR: join(state, "tmp") });

/** Calls POST /work until `signal` aborts. Failed calls are repeated, because the trainer's process may be restarting. */
async function drive(url: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await (await fetch(`${url}/work`, { method: "POST", signal })).arrayBuffer();
      await sleep(100, undefined, { signal });
    } catch {
      await sleep(1000);
    }
  }
}

/**
 * The Studio's address with a code. Whoever opens it within ten minutes is signed in. The code is in the address's fragment,
 * because browsers do not send the fragment, so no log contains it.
 */
export async function studioLink(url: string, token: string): Promise<string> {
  return `${url}/studio/#code=${(await createCode(token, "link", Date.now())).code}`;
}

/** Starts everything and resolves when all seven Workers answer. */
export async function startLocal(options: LocalOptions = {}): Promise<Local> {
  const state = options.state ?? STATE;
  const port = options.port === undefined ? await freePort(DEFAULT_PORT) : await wantedPort(options.port);
  const token = operatorToken();
  await refuseSecond(state, token);
  if (options.fresh) rmSync(state, { recursive: true, force: true });
  migrate(state);
  const url = `http://127.0.0.1:${port}`;
  const gatewayFirst = ["gateway", ...WORKERS.map((worker) => worker.name).filter((name) => name !== "gateway" && name !== "trainer")];
  const configs = gatewayFirst.flatMap((name) => ["-c", relative(ROOT, configPath(name))]);
  // With several Workers, `--var` reaches only the first Worker. So the collector's variable is in the collector's own
  // .dev.vars.
  writeFileSync(join(ROOT, "workers", "collector", ".dev.vars"), `LOCAL_ORIGIN="${options.localOrigin ?? ""}"\n`);
  // A killed process leaves entries in the registry, and other processes would call them for a minute.
  for (const folder of [...Object.values(foldersOf(state)), trainersOf(state)]) rmSync(folder, { recursive: true, force: true });
  mkdirSync(foldersOf(state).TMPDIR, { recursive: true });
  const workers = startProcess(
    "workers",
    "wrangler",
    ["dev", ...configs, "--port", String(port), "--persist-to", state, ...QUIETLY],
    foldersOf(state),
  );
  options.onStudio?.(await studioLink(url, token));
  // Trainers start after the coordinator. A trainer that starts first waits half a minute for the registry's next refresh.
  await untilAnswers("workers", workers, url, (status) => status < 500, START_TIMEOUT_MS);

  const stopping = new AbortController();
  const trainers = Math.max(1, options.trainers ?? availableParallelism());
  const names = Array.from({ length: trainers }, (_, index) => `trainer-${index + 1}`);
  // The first trainer has the Worker's own name. So it answers the gateway's health checks and gets the queue's messages.
  await Promise.all(names.map((name, index) => addTrainer(name, stopping.signal, state, index === 0 ? "tiffin-trainer" : undefined)));
  await untilAnswers("workers", workers, `${url}/health`, (status) => status === 200, START_TIMEOUT_MS);
  endWith("workers", workers);
  writeFileSync(addressOf(state), url);
  return {
    url,
    token,
    stop: async () => {
      stopping.abort();
      await stopProcesses();
    },
    kill: async () => {
      stopping.abort();
      killProcesses();
      await untilFree(port);
    },
  };
}

/** The address and the operator's token of the Tiffin that was started last from this folder. */
export function runningLocal(): { url: string; token: string } {
  if (!existsSync(addressOf(STATE))) throw new Error("no Tiffin runs from this folder. Start one with `npm run dev` or `npm start`.");
  return { url: readFileSync(addressOf(STATE), "utf8"), token: operatorToken() };
}

/**
 * Starts a trainer process for a state and keeps it working until `signal` aborts. If the process ends, the other trainers
 * continue.
 */
export async function addTrainer(name: string, signal: AbortSignal, state = STATE, worker = `tiffin-${name}`): Promise<ChildProcess> {
  const port = await freePort(0);
  const vars = ["--var", "WORK_LOOP:on", "--var", `TRAINER_NAME:${name}`];
  const config = relative(ROOT, configPath("trainer"));
  const own = join(trainersOf(state), name);
  const child = startProcess(
    name,
    "wrangler",
    ["dev", "-c", config, "--name", worker, "--port", String(port), "--persist-to", own, ...QUIETLY, ...vars],
    foldersOf(state),
  );
  const url = `http://127.0.0.1:${port}`;
  await untilAnswers(name, child, url, (status) => status < 500, START_TIMEOUT_MS);
  const ended = new AbortController();
  onEnd(name, child, () => ended.abort());
  void drive(url, AbortSignal.any([signal, ended.signal]));
  return child;
}
