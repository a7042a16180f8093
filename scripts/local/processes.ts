/**
 * Child processes that never outlive this one: each has a process group of its own, and every way out (exit, Ctrl-C,
 * TERM, an uncaught error) ends the groups by the ids they were started with. A kill is noticed by each group's supervisor.
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
 * Where a free port is looked for: below those that Linux (from 32768), macOS and Windows (from 49152, RFC 6335) give to
 * outgoing connections. One of theirs could be gone to a connection before the process that it was found for listens.
 */
const FIRST_PORT = 20_000;
const END_PORT = 32_768;
const PORT_ATTEMPTS = 50;
/** In order, so that none is found twice. */
let nextPort = randomInt(FIRST_PORT, END_PORT);
/** Lines of a log that an error shows. */
const LOG_LINES = 8;
const CHILD_ENV = {
  ...process.env,
  // Wrangler's record of every span in every Worker: with megabytes and many storage calls in a round it takes the coordinator's thread.
  X_LOCAL_OBSERVABILITY: "false",
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_HIDE_BANNER: "true",
  CI: "true",
  FORCE_COLOR: "0",
};
const running = new Set<ChildProcess>();
/** Those that this process ends. */
const ending = new WeakSet<ChildProcess>();

const logOf = (name: string) => join(ROOT, ".tiffin", "logs", `${name}.log`);

/** The last lines that a process has written, and where the rest is. */
export function endOfLog(name: string): string {
  const lines = stripVTControlCharacters(readFileSync(logOf(name), "utf8")).split("\n");
  const last = lines.filter((line) => line.trim() !== "").slice(-LOG_LINES);
  return [...last, `(${relative(ROOT, logOf(name))})`].map((line) => `  ${line}`).join("\n");
}

/** Starts a command of node_modules/.bin in its own process group; output goes to .tiffin/logs/<name>.log. `env` is added to the usual one. */
export function startProcess(name: string, command: string, args: readonly string[], env: Readonly<Record<string, string>>): ChildProcess {
  mkdirSync(dirname(logOf(name)), { recursive: true });
  const log = openSync(logOf(name), "w");
  const supervisor = join(import.meta.dirname, "supervise.ts");
  const child = spawn(process.execPath, [supervisor, join(ROOT, "node_modules", ".bin", command), ...args], {
    cwd: ROOT,
    detached: true,
    // Nothing is ever written to the supervisor: its standard input ends when this process does.
    stdio: ["pipe", log, log],
    env: { ...CHILD_ENV, ...env },
  });
  // It has its own.
  closeSync(log);
  running.add(child);
  child.once("exit", () => running.delete(child));
  return child;
}

/** Resolves when `child`, which listens at `url`, gives an accepted answer. Throws at once when it ends before, or when the time is over. */
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
      throw new Error(`${name}: expected an answer from ${url}, it ended with ${end}. The end of its log:\n${endOfLog(name)}`);
  }
  throw new Error(
    `${name}: expected an answer from ${url} within ${timeoutMs / 1000} s, got ${last}. The end of its log:\n${endOfLog(name)}`,
  );
}

/** Says so when `child` ends, unless this process ends it, and does then what is to be done. */
export function onEnd(name: string, child: ChildProcess, then: () => void): void {
  const end = (): void => {
    if (ending.has(child)) return;
    console.error(
      `\n${name}: expected it to run on, it ended with ${child.exitCode ?? child.signalCode}. The end of its log:\n${endOfLog(name)}`,
    );
    then();
  };
  if (child.exitCode === null && child.signalCode === null) child.once("exit", end);
  else end();
}

/** From now on this process ends when `child` does: the others would wait for it for ever. */
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
    // ESRCH: the group has ended between the check and the signal, which is what is wanted.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Ends all started groups: TERM, then KILL after a grace time. */
export async function stopProcesses(): Promise<void> {
  const children = [...running];
  const exits = children.map((child) => new Promise<void>((resolve) => child.once("exit", () => resolve())));
  for (const child of children) signalGroup(child, "SIGTERM");
  const grace = new Promise<void>((resolve) => {
    setTimeout(resolve, KILL_GRACE_MS).unref();
  });
  await Promise.race([Promise.all(exits), grace]);
  // Also when the leader has gone: a workerd that it left behind belongs to the same group.
  for (const child of children) signalGroup(child, "SIGKILL");
}

/** Ends all started groups at once, without a word. */
export function killProcesses(): void {
  for (const child of running) signalGroup(child, "SIGKILL");
  running.clear();
}

/** Makes Ctrl-C, TERM and a crash end everything that was started. */
export function stopOnExit(onStop: () => void = () => undefined): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => {
      onStop();
      void stopProcesses().then(() => process.exit(signal === "SIGINT" ? 130 : 143));
    });
  }
  process.once("exit", killProcesses);
}

/** Whether nobody listens at a port on loopback. */
function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

/** The wanted port on loopback if nobody listens there, else, or where it is 0, any free one. */
export async function freePort(wanted: number): Promise<number> {
  if (wanted !== 0 && (await isFree(wanted))) return wanted;
  for (let attempt = 0; attempt < PORT_ATTEMPTS; attempt++) {
    const port = nextPort;
    nextPort = port + 1 < END_PORT ? port + 1 : FIRST_PORT;
    if (await isFree(port)) return port;
  }
  throw new Error(`expected a free port on 127.0.0.1, found none of ${PORT_ATTEMPTS} from ${FIRST_PORT} to ${END_PORT - 1}`);
}

/** Waits until nobody listens on a port: what is killed lets go of it a moment later. */
export async function untilFree(port: number): Promise<void> {
  const deadline = Date.now() + KILL_GRACE_MS;
  while (!(await isFree(port))) {
    if (Date.now() > deadline) throw new Error(`port ${port}: expected it to be free ${KILL_GRACE_MS} ms after a kill, somebody listens`);
    await sleep(FREE_POLL_MS);
  }
}

/** The wanted port on loopback, or an error that says what to do. */
export async function wantedPort(port: number): Promise<number> {
  if (!(await isFree(port)))
    throw new Error(
      `port ${port}: expected nobody to listen there on 127.0.0.1, something does. End that, or name another one with --port.`,
    );
  return port;
}
