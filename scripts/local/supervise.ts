/**
 * `node supervise.ts COMMAND ...ARGS`: runs a command, and kills its own process group when standard input closes. Standard
 * input closes when the parent ends for any reason. A killed parent cannot end its children itself, and a workerd that
 * outlives its parent would hold the port and the state that the next start needs.
 */
import { spawn } from "node:child_process";

const [command, ...args] = process.argv.slice(2);
if (command === undefined) throw new Error("supervise: expected a command, got none");
const child = spawn(command, args, { stdio: ["ignore", "inherit", "inherit"] });
child.once("exit", (code) => process.exit(code ?? 1));
// Signals reach the whole group. The command handles them, and this process ends after the command.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
process.stdin.resume().once("close", () => process.kill(-process.pid, "SIGKILL"));
