/** Child processes end when their parent ends, for whatever reason, and leave a log. Free ports stay free. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { endOfLog, freePort, startProcess } from "../../../scripts/local/processes.ts";
import { ROOT } from "../../../scripts/local/workers.ts";

/** Far beyond what a slow machine needs. */
const PATIENCE = { timeout: 60_000 };

const PARENT = `
  import { startProcess, stopOnExit } from ${JSON.stringify(join(ROOT, "scripts/local/processes.ts"))};
  stopOnExit();
  const child = startProcess("processes-test", "node", ["-e", "console.log('started under', process.ppid); setInterval(() => undefined, 1000)"]);
  console.log(child.pid);
  setInterval(() => undefined, 1000);
`;

function isRunning(group: number): boolean {
  try {
    return process.kill(-group, 0);
  } catch {
    // ESRCH means that the group has ended.
    return false;
  }
}

test.each(["SIGINT", "SIGINT SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"])("%s leaves no process behind", async (signals) => {
  const parent = spawn(join(ROOT, "node_modules/.bin/node"), ["--input-type=module-typescript", "-e", PARENT], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const group = await new Promise<number>((resolve) => {
    parent.stdout.once("data", (line: Buffer) => resolve(Number(line.toString())));
  });
  // The command starts a moment after its supervisor.
  await vi.waitFor(() => expect(endOfLog("processes-test")).toContain(`started under ${group}`), PATIENCE);
  expect(isRunning(group)).toBe(true);
  for (const signal of signals.split(" ")) parent.kill(signal as NodeJS.Signals);
  await vi.waitFor(() => expect(isRunning(group)).toBe(false), PATIENCE);
});

const DEPENDENT = `
  import { endWith, startProcess, stopProcesses } from ${JSON.stringify(join(ROOT, "scripts/local/processes.ts"))};
  const child = startProcess("dependent-test", "node", ["-e", "console.log('out of memory'); setTimeout(() => process.exit(7), 300)"], {});
  endWith("dependent-test", child);
  if (process.argv.includes("stop")) {
    await stopProcesses();
    // Long after the end of the child has been noticed.
    setTimeout(() => process.exit(0), 200);
  }
  setInterval(() => undefined, 1000);
`;

function startDependent(...args: string[]) {
  return spawn(join(ROOT, "node_modules/.bin/node"), ["--input-type=module-typescript", "-e", DEPENDENT, "--", ...args], {
    stdio: ["ignore", "ignore", "pipe"],
  });
}

test("the unexpected exit of a child ends its parent, which prints the child's last lines; stopping a child does not", async () => {
  const left = startDependent();
  let words = "";
  left.stderr.on("data", (data: Buffer) => (words += data.toString()));
  expect((await once(left, "exit"))[0]).toBe(1);
  expect(words).toContain(
    "dependent-test: expected the process to keep running, but it ended with 7. The end of its log:\n  out of memory",
  );
  const stopped = startDependent("stop");
  expect((await once(stopped, "exit"))[0]).toBe(0);
});

test("the end of a log is its last lines, without colours", async () => {
  const lines = Array.from({ length: 20 }, (_, index) => `line ${index}`);
  const text = `${lines.join("\n\n")}\n\u001b[31mwrong\u001b[0m\n`;
  startProcess("log-test", "node", ["-e", `process.stdout.write(${JSON.stringify(text)})`], {});
  const expected = [...lines.slice(13), "wrong", "(.tiffin/logs/log-test.log)"].map((line) => `  ${line}`).join("\n");
  await vi.waitFor(() => expect(endOfLog("log-test")).toBe(expected), PATIENCE);
});

test("free ports lie below the range of outgoing connections, and no port is returned twice", async () => {
  const ports = await Promise.all(Array.from({ length: 40 }, () => freePort(0)));
  expect(new Set(ports).size).toBe(40);
  expect(Math.max(...ports)).toBeLessThan(32_768);
});

test("a wanted port is returned if it is free", async () => {
  const wanted = await freePort(0);
  expect(await freePort(wanted)).toBe(wanted);
  const server = createServer().listen(wanted, "127.0.0.1");
  await once(server, "listening");
  expect(await freePort(wanted)).not.toBe(wanted);
  server.close();
});
