/**
 * `node supervise.ts COMMAND ...ARGS`: runs a command and ends its process group when standard input ends, which it does
 * when the parent is gone, however it went. A parent that is killed outright can end nothing itself, and a workerd that
 * outlives it would hold the port and the state that the next start wants.
 */
import { spawn } from "node:child_process";

const [command, ...args] = process.argv.slice(2);
if (command === undefined) throw new Error("supervise: expected a command, got none");
const child = spawn(command, args, { stdio: ["ignore", "inherit", "inherit"] });
child.once("exit", (code) => process.exit(code ?? 1));
// Signals go to the whole group; the command answers them, and this process ends with it.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
process.stdin.resume().once("close", () => process.kill(-process.pid, "SIGKILL"));
