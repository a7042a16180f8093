/**
 * Child processes that never outlive this process. Each child has its own process group, and every end of this process (exit,
 * Ctrl-C, TERM, an uncaught error) ends the groups by their ids. If this process is killed, each group's supervisor notices
 * and ends its group.
 */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { randomInt } from "node:crypto";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { stripVTControlCharacters } from "node:util";
import { ROOT } from "./workers.ts";

const KILL_GRACE_MS = 3000;
const FREE_POLL_MS = 10;
const ANSWER_POLL_MS = 250;
const ANSWER_TIMEOUT_MS = 10_000;
/**
 * Free ports come from below the range for outgoing connections (Linux: from 32768; macOS and Windows: from 49152, RFC 6335).
 * In that range, a connection could take the port before the process listens on it.
 */
const FIRST_PORT = 20_000;
const END_PORT = 32_768;
const PORT_ATTEMPTS = 50;
/** The next port to try. It only increases, so no port is returned twice. */
let nextPort = randomInt(FIRST_PORT, END_PORT);
/** The number of log lines in an error. */
const LOG_LINES = 8;
const CHILD_ENV = {
  ...process.env,
  // By default wrangler records every span of every Worker. In a round with many storage calls, this would occupy the
  // coordinator's thread.
  X_LOCAL_OBSERVABILITY: "false",
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_HIDE_BANNER: "true",
  CI: "true",
  FORCE_COLOR: "0",
};
const running = new Set<ChildProcess>();
/** Children that this process is ending. Their exit is not an error. */
const ending = new WeakSet<ChildProcess>();

const logOf = (name: string) => join(ROOT, ".tiffin", "logs", `${name}.log`);

/** The last lines of a process's log, and the path of the log. */
export function endOfLog(name: string): string {
  const lines = stripVTControlCharacters(readFileSync(logOf(name), "utf8")).split("\n");
  const last = lines.filter((line) => line.trim() !== "").slice(-LOG_LINES);
  return [...last, `(${relative(ROOT, logOf(name))})`].map((line) => `  ${line}`).join("\n");
}

/**
 * Starts a command of node_modules/.bin in its own process group. Output goes to .tiffin/logs/<name>.log. `env` is added to
 * CHILD_ENV.
 */
export function startProcess(name: string, command: string, args: readonly string[], env: Readonly<Record<string, string>>): ChildProcess {
  mkdirSync(dirname(logOf(name)), { recursive: true });
  const log = openSync(logOf(name), "w");
  const supervisor = join(import.meta.dirname, "supervise.ts");
  const child = spawn(process.execPath, [supervisor, join(ROOT, "node_modules", ".bin", command), ...args], {
    cwd: ROOT,
    detached: true,
    // The supervisor's standard input carries no data. It closes when this process ends.
    stdio: ["pipe", log, log],
    env: { ...CHILD_ENV, ...env },
  });
  // The child has its own copy of the file descriptor.
  closeSync(log);
  running.add(child);
  child.once("exit", () => running.delete(child));
  return child;
}

/** Resolves when `child`, which listens at `url`, gives an accepted answer. Throws if the child ends first or the time is over. */
export async function untilAnswers(
  name: string,
  child: ChildProcess,
  url: string,
  accept: (status: number) => boolean,
  timeoutMs: number,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  let last = "no answer";
  while (Date.now() < deadline) {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
      if (accept(response.status)) return;
      last = `status ${response.status}: ${(await response.text()).slice(0, 300)}`;
    } catch (error) {
      last = (error as Error).message;
    }
    await sleep(ANSWER_POLL_MS);
    const end = child.exitCode ?? child.signalCode;
    if (end !== null)
      throw new Error(`${name}: expected an answer from ${url}, but the process ended with ${end}. The end of its log:\n${endOfLog(name)}`);
  }
  throw new Error(
    `${name}: expected an answer from ${url} within ${timeoutMs / 1000} s, got ${last}. The end of its log:\n${endOfLog(name)}`,
  );
}

/** Reports an unexpected exit of `child`, then calls `then`. */
export function onEnd(name: string, child: ChildProcess, then: () => void): void {
  const end = (): void => {
    if (ending.has(child)) return;
    console.error(
      `\n${name}: expected the process to keep running, but it ended with ${child.exitCode ?? child.signalCode}. The end of its log:\n${endOfLog(name)}`,
    );
    then();
  };
  if (child.exitCode === null && child.signalCode === null) child.once("exit", end);
  else end();
}

/** Ends this process when `child` ends, because the other processes would wait for the child forever. */
export function endWith(name: string, child: ChildProcess): void {
  onEnd(name, child, () => void stopProcesses().then(() => process.exit(1)));
}

/** Runs a command of node_modules/.bin to its end. */
export function runProcess(command: string, args: readonly string[]): { status: number | null; output: string } {
  const result = spawnSync(join(ROOT, "node_modules", ".bin", command), args, { cwd: ROOT, encoding: "utf8", env: CHILD_ENV });
  return { status: result.status, output: `${result.stdout}${result.stderr}` };
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  ending.add(child);
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    // ESRCH means that the group has already ended.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Ends all started groups: first TERM, then KILL after a grace time. */
export async function stopProcesses(): Promise<void> {
  const children = [...running];
  const exits = children.map((child) => new Promise<void>((resolve) => child.once("exit", () => resolve())));
  for (const child of children) signalGroup(child, "SIGTERM");
  const grace = new Promise<void>((resolve) => {
    setTimeout(resolve, KILL_GRACE_MS).unref();
  });
  await Promise.race([Promise.all(exits), grace]);
  // This includes groups whose leader has ended, because a workerd that the leader started may still run.
  for (const child of children) signalGroup(child, "SIGKILL");
}

/** Ends all started groups at once, with SIGKILL. */
export function killProcesses(): void {
  for (const child of running) signalGroup(child, "SIGKILL");
  running.clear();
}

/** Makes Ctrl-C, TERM and a crash end all started processes. */
export function stopOnExit(onStop: () => void = () => undefined): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => {
      onStop();
      void stopProcesses().then(() => process.exit(signal === "SIGINT" ? 130 : 143));
    });
  }
  process.once("exit", killProcesses);
}

/** True if a port on loopback is free. */
function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

/** The port `wanted` if it is free on loopback; otherwise, or if `wanted` is 0, any free port. */
export async function freePort(wanted: number): Promise<number> {
  if (wanted !== 0 && (await isFree(wanted))) return wanted;
  for (let attempt = 0; attempt < PORT_ATTEMPTS; attempt++) {
    const port = nextPort;
    nextPort = port + 1 < END_PORT ? port + 1 : FIRST_PORT;
    if (await isFree(port)) return port;
  }
  throw new Error(`expected a free port on 127.0.0.1, found none of ${PORT_ATTEMPTS} from ${FIRST_PORT} to ${END_PORT - 1}`);
}

/** Waits until a port is free. A killed process releases its port a moment later. */
export async function untilFree(port: number): Promise<void> {
  const deadline = Date.now() + KILL_GRACE_MS;
  while (!(await isFree(port))) {
    if (Date.now() > deadline)
      throw new Error(`port ${port}: expected it to be free ${KILL_GRACE_MS} ms after a kill, but a process still listens on it`);
    await sleep(FREE_POLL_MS);
  }
}

/** Returns the port if it is free on loopback; throws if it is in use. */
export async function wantedPort(port: number): Promise<number> {
  if (!(await isFree(port)))
    throw new Error(`port ${port} is already in use on 127.0.0.1. Stop the program that uses it, or choose another port with --port.`);
  return port;
}
